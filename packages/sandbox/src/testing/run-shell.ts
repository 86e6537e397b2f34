/**
 * Runs one shell script as an action, as a process of its own, for tests that kill it or start it as somebody else.
 * Prints each line of the action, and as the last line the outcome or the error as JSON.
 */
import { createReadStream } from 'node:fs';
import { UserError } from '@strata/definitions';
import { absolutePath, parseDigest } from '@strata/fingerprint';
import { z } from 'zod';
import { layerMediaType, openUserStore, packScript, runAction, scriptInput, type LayerDescriptor } from '../index.js';

const parametersSchema = z.object({
  /** The test toolchain: its file is put into the store of whoever runs this. */
  toolchain: z.object({ file: z.string(), digest: z.string(), annotations: z.record(z.string(), z.string()) }),
  script: z.string(),
  /** Whether the script changes a root file system, which is packed in the end. */
  packs: z.boolean(),
});

/** What {@link runShell} is given by a test. */
export type RunShellParameters = z.infer<typeof parametersSchema>;

async function main(): Promise<unknown> {
  const { toolchain, script, packs } = parametersSchema.parse(JSON.parse(process.argv[2] ?? ''));
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
  return { ran: outcome.ran, key: outcome.key, layer: outcome.result.outputs['layer.tar.zst'] };
}

console.log(
  JSON.stringify(
    await main().catch((error: unknown) => ({
      error: error instanceof UserError ? error.lines : String(error),
    })),
  ),
);
