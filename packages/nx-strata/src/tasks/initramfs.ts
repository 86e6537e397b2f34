import type { InitramfsDefinition } from '@strata/definitions';
import { initramfsAction } from '@strata/image';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';

/** Makes an initramfs. */
export async function buildInitramfs(task: Task): Promise<TaskOutput> {
  const { kernel, modules, root, compression } = task.placed.definition as InitramfsDefinition;
  const made = (await task.output(kernel, 'build')).outputs;
  const action = initramfsAction({
    label: task.label,
    toolchain: await task.toolchain(),
    modules: asLayer(pick(made, 'modules.tar.zst')),
    kernel: pick(made, 'kernel.json'),
    include: modules,
    root: 'device' in root ? root.device : `LABEL=${root.label}`,
    compression,
  });
  return { outputs: await task.action(action) };
}
