export { createDependencies, createNodes, createNodesV2 } from './plugin.js';
export { postTasksExecution, preTasksExecution } from './hooks.js';

/** The plugin's name, as Nx shows it. */
export const name = 'nx-strata';
