import type { ExecutorContext } from '@nx/devkit';
import { runExecutor } from '../run-executor.js';

/** The executor of the target `boot`. */
export default function execute(options: unknown, context: ExecutorContext): Promise<{ success: boolean }> {
  return runExecutor('boot', options, context);
}
