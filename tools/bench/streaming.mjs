// Packing and unpacking a layer of 4 GiB: peak memory and speed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const gibibytes = Number(process.argv[2] ?? 4);
const folder = mkdtempSync('/var/tmp/strata-bench-');
const sandbox = resolve(import.meta.dirname, '../../packages/sandbox');
const script = (body) => `import resource, subprocess, sys, time
start = time.monotonic()
${body}
seconds = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{seconds:.1f} s, {${gibibytes} * 1024 / seconds:.0f} MiB/s, peak of the largest process {peak:.0f} MiB")`;
const python = (body, environment = {}) =>
  execFileSync('python3', ['-c', script(body)], { encoding: 'utf8', env: { ...process.env, ...environment } }).trim();
execFileSync('mkdir', [join(folder, 'tree'), join(folder, 'unpacked')]);
for (let index = 0; index < gibibytes * 4; index++) {
  execFileSync('sh', ['-c', `head -c 256M /dev/urandom > ${folder}/tree/file-${index}`]);
}
const pack = `subprocess.run(["python3", "${sandbox}/guest/pack.py", "tree", "--root", "${folder}/tree", "--output", "layer.tar.zst"], check=True)`;
console.log(`packing ${gibibytes} GiB: ${python(pack, { STRATA_OUT: folder })}`);
const notes = JSON.parse(execFileSync('cat', [join(folder, 'layer.tar.zst.annotations.json')], { encoding: 'utf8' }));
const unpack = `subprocess.run(["python3", "${sandbox}/host/unpack.py", "${folder}/layer.tar.zst", "${folder}/unpacked", "${notes['dev.strata.diff-id']}"], check=True)`;
console.log(`unpacking it: ${python(unpack)}`);
rmSync(folder, { recursive: true });
