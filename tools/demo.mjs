// Builds, boots and tests the example OS; where a mirror has moved on, moves the lock files forward and goes on.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const start = Date.now();
const tries = 3;

/** Runs a command, showing what it prints; gives back its status and what it printed. */
function run(command, words) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ['inherit', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      process.stdout.write(data);
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, text: stripVTControlCharacters(text) }));
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => child.kill(signal));
    }
  });
}

const nx = ['nx', 'run-many', '--targets=test', '--projects=ram-os,rescue', '--outputStyle=stream'];
let result;
for (let attempt = 1; attempt <= tries; attempt++) {
  result = await run('npx', nx);
  const outdated = new Set([...result.text.matchAll(/npx strata update (\S+)/g)].map((match) => match[1]));
  if (result.status === 0 || outdated.size === 0) {
    break;
  }
  console.log(
    `\ndemo: the mirror has newer versions than the lock files of ${[...outdated].join(', ')}: moving them forward\n`,
  );
  const updated = await run('npx', ['strata', 'update', ...outdated]);
  if (updated.status !== 0) {
    process.exit(updated.status);
  }
}
if (result.status !== 0) {
  process.exit(result.status ?? 1);
}

const outputs = (project, target) => {
  const file = `dist/examples/ram-os/${project}/strata/${target}.json`;
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).outputs : {};
};
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const size = (project, target, name) => mebibytes(outputs(project, target)[name]?.size ?? 0);
const cached = /Nx read the output from the cache instead of running the command for (\d+) out of (\d+)/.exec(
  result.text,
);

console.log(`
The example OS is built, booted and tested${cached ? ` (${cached[1]} of ${cached[2]} tasks came from the cache)` : ''}: ${Math.round((Date.now() - start) / 1000)} s.

  ram-os     ${size('ram-os', 'build', 'root.squashfs')} squashfs: base and tools
  rescue     ${size('rescue', 'build', 'root.squashfs')} squashfs: base alone
  kernel     ${size('kernel', 'build', 'vmlinuz')}
  initramfs  ${size('initramfs', 'build', 'initramfs')}

What to try next:

  npm run demo                                   again: everything comes from the cache
  npx nx run ram-os:boot                         boot it yourself (log in as root, Ctrl-a x ends it)
  echo hello > examples/ram-os/tools/tree/etc/motd
  npx nx affected -t build --uncommitted         rebuilds the layer and the image that carry it, and no package
  npx nx run ram-os:export                       real files in dist/, and the QEMU line that boots them
  npx nx graph                                   the OS as a graph
`);
