export { createDependencies, createNodes, createNodesV2 } from './inference.js';

/** The plugin's name, as Nx shows it. */
export const name = 'nx-strata';
