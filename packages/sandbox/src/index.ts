export type {
  Action,
  ActionEvent,
  ActionOutcome,
  Input,
  KeyParts,
  LayerDescriptor,
  LayerStack,
  Progress,
  SeedRoot,
} from './types.js';
export { actionKey } from './action-key.js';
export { enter } from './enter.js';
export { ActionFailed, InputChanged, type ErrorReport } from './errors.js';
export { inUserNamespace, type NamespaceOptions } from './launch.js';
export { JobPool } from './job-pool.js';
export { diffIdAnnotation, diffIdOf, layerMediaType, unpackedLayer } from './layers.js';
export { type Runnable } from './prepare.js';
export { layersOfAction, runAction, type RunOptions } from './run-action.js';
export { packScript, scriptInput } from './scripts.js';
export type { Place, Surroundings, Undeclared, UndeclaredPath } from './undeclared.js';
export { openUserStore, removeInNamespace } from './user-store.js';
