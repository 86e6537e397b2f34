// One artifact of 1 GiB through the team's cache, against the same bytes as an output of plain Nx: upload, restore,
// bytes over the wire, peak memory of the client and of the server.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';

const mebibytes = Number(process.argv[2] ?? 1024);
const repository = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync('/var/tmp/strata-bench-');
const seconds = (start) => (performance.now() - start) / 1000;

async function serve(name) {
  const words = ['serve', '--port', '0', '--log-level', 'error', '--folder', join(folder, name)];
  // by its own first line, which gives Node's options
  const child = spawn(join(repository, 'packages/cache-server/bin/strata-cache.js'), words);
  const variables = await new Promise((done) => {
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
      const exports = [...said.matchAll(/^export (\S+?)=(\S+)\n/gm)].map(([, key, value]) => [key, value]);
      if (exports.length === 2) {
        done(Object.fromEntries(exports));
      }
    });
  });
  const peak = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
  const [url, token] = Object.values(variables);
  let seen = 0;
  /** Bytes of bodies that it read and sent since this was asked last. */
  const moved = async () => {
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const counts = [...(await answer.text()).matchAll(/^strata_cache_bytes_total\{.*?\} (\d+)/gm)];
    const all = counts.reduce((sum, [, count]) => sum + Number(count), 0);
    const since = all - seen;
    seen = all;
    return since;
  };
  return { variables, peak, moved, stop: () => child.kill() };
}

/** Runs a command, beside what this process listens to; gives back its seconds and its largest process's peak memory in MiB. */
async function measured(cwd, environment, command, ...words) {
  const script = `import resource, subprocess, sys
result = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(result.returncode)`;
  const start = performance.now();
  const { stdout } = await promisify(execFile)('python3', ['-c', script, command, ...words], {
    cwd,
    env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', ...environment },
  });
  return { seconds: seconds(start), peak: Number(stdout.trim()) };
}

function workspace(name, nx, files) {
  const root = join(folder, name);
  mkdirSync(root);
  writeFileSync(join(root, 'nx.json'), JSON.stringify(nx));
  writeFileSync(join(root, 'package.json'), '{ "name": "workspace", "private": true }');
  writeFileSync(join(root, '.gitignore'), 'node_modules\ndist\n.nx\n');
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  execFileSync('git', ['init', '--quiet'], { cwd: root });
  return root;
}

async function report(title, { seconds: time, peak }, server) {
  const bytes = await server.moved();
  console.log(
    `${title.padEnd(42)} ${time.toFixed(2).padStart(7)} s  ${(bytes / 2 ** 20).toFixed(2).padStart(8)} MiB moved` +
      `  client ${peak.toFixed(0)} MiB, server ${server.peak().toFixed(0)} MiB at most`,
  );
}

let plainUpload;
const more = '  of that, more than without uploading'.padEnd(42);
const nxProgram = join(repository, 'node_modules/.bin/nx');
const blob = join(folder, 'blob');
execFileSync('sh', ['-c', `head -c ${mebibytes}M /dev/urandom > ${blob}`]);

// plain Nx: the bytes are the output of a task
{
  const server = await serve('plain-cache');
  const { variables } = server;
  const target = {
    command: `mkdir -p dist/big && cp --reflink=auto ${blob} dist/big/blob`,
    outputs: ['{workspaceRoot}/dist/big'],
    cache: true,
  };
  const project = { 'big/project.json': JSON.stringify({ name: 'big', targets: { build: target } }) };
  const [one, two] = ['plain-one', 'plain-two'].map((name) => workspace(name, { analytics: false }, project));
  const run = (root, more) =>
    measured(root, { NX_CACHE_DIRECTORY: join(root, '.nx/c'), ...more }, nxProgram, 'run', 'big:build');
  const bare = workspace('plain-bare', { analytics: false }, project);
  const local = await run(bare, {});
  const uploaded = await run(one, variables);
  await report('plain Nx: build and upload', uploaded, server);
  console.log(`${more} ${(uploaded.seconds - local.seconds).toFixed(2).padStart(7)} s`);
  plainUpload = uploaded.seconds - local.seconds;
  await report('plain Nx: restore on another machine', await run(two, variables), server);
  server.stop();
}

// Strata: the bytes are an artifact, and the task's output names it
{
  const server = await serve('team-cache');
  const { variables } = server;
  const digest = execFileSync('sha256sum', [blob], { encoding: 'utf8' }).slice(0, 64);
  const script = (body) => `
    import { openStore, remoteAddresses, openLocalStore, openRemotes, Uploader } from '${repository}/packages/store/dist/index.js';
    import { rm } from 'node:fs/promises';
    const addresses = remoteAddresses(process.env);
    const open = (root, more) => openStore({ root, remove: (path) => rm(path, { recursive: true, force: true }), remotes: { addresses, ...more } });
    const key = 'sha256:' + 'a'.repeat(64);
    const artifact = { mediaType: 'application/octet-stream', digest: 'sha256:${digest}', size: ${mebibytes * 2 ** 20} };
    ${body}`;
  const node = (body) => measured(folder, variables, process.execPath, '--input-type=module', '--eval', script(body));
  const [one, two] = ['store-one', 'store-two'].map((name) => JSON.stringify(join(folder, name)));
  await node(`const store = await open(${one});
    const { createReadStream } = await import('node:fs');
    await store.put(createReadStream('${blob}'), { mediaType: artifact.mediaType, expect: artifact.digest });`);
  const recorded = `const store = await open(${one}, { offers: true });
    await store.record(key, { outputs: { blob: artifact } });
    const local = await openLocalStore({ root: ${one}, remove: () => Promise.resolve() });
    const remotes = openRemotes(${one}, { addresses });
    const uploader = new Uploader(local, remotes);`;
  const bare = await node(`${recorded} await remotes.close(); process.exit(0);`);
  const uploaded = await node(`${recorded}
    const left = await uploader.drainAll();
    await remotes.close();
    process.exit(left);`);
  await report('Strata: upload', uploaded, server);
  const upload = uploaded.seconds - bare.seconds;
  console.log(`${more} ${upload.toFixed(2).padStart(7)} s`);
  const found = `const store = await open(${two});
    const { outputs } = await store.lookup(key);`;
  await report('Strata: restore, nobody reads it', await node(`${found} process.exit(0);`), server);
  await report(
    'Strata: restore, somebody reads it',
    await node(`${found} await store.path(outputs.blob); process.exit(0);`),
    server,
  );
  console.log(`upload: ${(plainUpload / upload).toFixed(1)} times as fast as plain Nx`);
  server.stop();
}
rmSync(folder, { recursive: true });
