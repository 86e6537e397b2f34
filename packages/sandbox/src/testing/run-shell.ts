/**
 * Runs one shell script as an action, as a process of its own, for tests that kill it or start it as somebody else.
 * Prints each line of the action, and as the last line the outcome or the error as JSON.
 */
import { createReadStream, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, parseDigest } from '@strata/fingerprint';
import type { Descriptor, Store } from '@strata/store';
import { z } from 'zod';
import {
  ActionFailed,
  layerMediaType,
  openUserStore,
  packScript,
  runAction,
  scriptInput,
  type LayerDescriptor,
} from '../index.js';
import { unpackedLayer } from '../layers.js';

const parametersSchema = z.object({
  /** The test toolchain: its file is put into the store of whoever runs this. */
  toolchain: z.object({ file: z.string(), digest: z.string(), annotations: z.record(z.string(), z.string()) }),
  script: z.string(),
  /** Whether the script changes a root file system, which is packed in the end. */
  packs: z.boolean(),
  /** Whether the packed layer is unpacked, and the store cleared, in the end. */
  clears: z.boolean().optional(),
});

/** What {@link runShell} is given by a test. */
export type RunShellParameters = z.infer<typeof parametersSchema>;

async function main(): Promise<unknown> {
  const { toolchain, script, packs, clears } = parametersSchema.parse(JSON.parse(process.argv[2] ?? ''));
  const store = await openUserStore();
  const { annotations } = toolchain;
  const expect = parseDigest(toolchain.digest);
  const stored = await store.put(createReadStream(absolutePath(toolchain.file)), { mediaType: layerMediaType, expect });
  const layer: LayerDescriptor = { ...stored, annotations };
  const outcome = await runAction(
    store,
    {
      label: 'test:shell',
      toolchain: [layer],
      ...(packs ? { rootfs: { lower: [] } } : {}),
      inputs: [scriptInput('pack.py', packScript)],
      argv: ['sh', '-euc', packs ? `${script}\npython3 /strata/in/bin/pack.py delta --upper /strata/upper` : script],
      secondLook: true,
      outputs: packs ? { 'layer.tar.zst': layerMediaType } : {},
    },
    {
      onEvent: (event) => {
        if (event.type === 'line') {
          console.log(event.line);
        }
      },
    },
  );
  const made = outcome.result.outputs['layer.tar.zst'];
  return { ran: outcome.ran, key: outcome.key, layer: made, ...(clears === true ? await clear(store, made) : {}) };
}

/** Unpacks a layer and clears the store; says who owned what was unpacked, and what is left of the unpacked trees. */
async function clear(
  store: Store,
  made: Descriptor | undefined,
): Promise<{ readonly owners: number[]; readonly left: string[] }> {
  if (made?.annotations === undefined) {
    throw new Error('nothing was packed');
  }
  const folder = await unpackedLayer(store, { ...made, annotations: made.annotations });
  const owners = (await readdir(folder)).sort().map((name) => statSync(join(folder, name)).uid);
  await store.clear();
  return { owners, left: await readdir(join(store.root, 'trees')) };
}

console.log(
  JSON.stringify(
    await main().catch((error: unknown) => ({
      error: error instanceof UserError ? error.lines : String(error),
      ...(error instanceof ActionFailed ? { undeclared: error.undeclared } : {}),
    })),
  ),
);
