// One file of the top tree changed, over a root of 500 MB, against the bare squashfs tool over the same files.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { squashfsAction } from '@strata/image';
import { layerMediaType, openUserStore, packScript, runAction, scriptInput } from '@strata/sandbox';
import { compare } from './measure.mjs';

const stack = (name) =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, `../../dist/examples/ram-os/${name}/strata/build.json`), 'utf8'))
    .stack;
const store = await openUserStore();
const toolchain = stack('vm-toolchain');
const root = stack('toolchain');

/** A layer with one file, another one each time. */
async function top(number) {
  const { result } = await runAction(store, {
    label: 'bench:top',
    toolchain,
    rootfs: { lower: root },
    inputs: [scriptInput('pack.py', packScript)],
    argv: [
      'sh',
      '-ec',
      `echo ${Date.now()}-${number} > /strata/root/etc/motd; python3 /strata/in/bin/pack.py delta --upper /strata/upper`,
    ],
    outputs: { 'layer.tar.zst': layerMediaType },
  });
  return result.outputs['layer.tar.zst'];
}

await compare(
  'one file changed, image again',
  3,
  async (run) => {
    const layers = [...root, await top(run)];
    await runAction(
      store,
      squashfsAction({
        label: 'bench:image',
        toolchain,
        layers,
        exclude: [],
        compression: { algorithm: 'zstd', level: 3 },
      }),
    );
  },
  () =>
    runAction(
      store,
      {
        label: 'bench:bare',
        toolchain,
        rootfs: { lower: root },
        inputs: [],
        argv: [
          'mksquashfs',
          '/strata/root',
          '/strata/out/root.squashfs',
          '-comp',
          'zstd',
          '-Xcompression-level',
          '3',
          '-no-progress',
          '-quiet',
        ],
        outputs: { 'root.squashfs': 'application/vnd.strata.squashfs' },
      },
      { force: true },
    ),
);
