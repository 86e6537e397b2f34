// 433 small files with 50 ms of latency, against one after the other, as Portage fetches.
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fetchDistfiles } from '@strata/portage';
import { openStore } from '@strata/store';
import { compare } from './measure.mjs';

const count = 433;
const content = (name) => `${name} `.repeat(500);
const server = createServer((request, response) => setTimeout(() => response.end(content(request.url.slice(1))), 50));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}`;
const files = Array.from({ length: count }, (_, index) => {
  const name = `file-${index}`;
  const hash = (algorithm) => createHash(algorithm).update(content(name)).digest('hex');
  return {
    name,
    size: content(name).length,
    hashes: { BLAKE2B: hash('blake2b512'), SHA512: hash('sha512') },
    uris: [`${base}/${name}`],
  };
});
const open = () =>
  openStore({
    root: mkdtempSync('/var/tmp/strata-bench-'),
    remove: (folder) => rm(folder, { recursive: true, force: true }),
  });
const ratio = await compare(
  `${count} files`,
  1,
  async () => fetchDistfiles(await open(), files, { mirrors: [], connections: 16 }),
  async () => {
    for (const { uris } of files) {
      await (await fetch(uris[0], { headers: { connection: 'close' } })).arrayBuffer();
    }
  },
);
console.log(`${(1 / ratio).toFixed(1)} x as fast`);
server.close();
server.closeAllConnections();
