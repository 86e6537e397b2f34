import type { ExecutorContext } from '@nx/devkit';
import { runExecutor } from '../run-executor.js';

/** The executor of the target `origin`. */
export default function execute(options: unknown, context: ExecutorContext): Promise<{ success: boolean }> {
  return runExecutor('origin', options, context);
}
