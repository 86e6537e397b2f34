import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';

/** An artifact that an entry names. */
export interface Named {
  readonly hex: string;
  readonly size: number;
}

function descriptor({ hex, size }: Named): object {
  return { mediaType: 'application/octet-stream', digest: `sha256:${hex}`, size };
}

/** What Nx sends after a task of Strata's: its outputs, what it printed, and its exit code, as a packed archive. */
export async function nxEntry(outputs: readonly Named[], stack: readonly Named[] = []): Promise<Buffer> {
  const pack = tar.pack();
  const parts: Buffer[] = [];
  pack.on('data', (part) => parts.push(part as Buffer));
  const output = {
    outputs: Object.fromEntries(outputs.map((one, index) => [`output${index}`, descriptor(one)])),
    ...(stack.length === 0 ? {} : { stack: stack.map(descriptor) }),
  };
  pack.entry({ name: 'dist/os/tools/strata/build.json' }, JSON.stringify(output));
  pack.entry({ name: 'terminalOutput' }, 'built\n');
  pack.entry({ name: 'code' }, '0');
  pack.finalize();
  await once(pack, 'end');
  return gzipSync(Buffer.concat(parts));
}
