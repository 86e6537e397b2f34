export type { ActionKey, ActionResult, Descriptor, PutOptions, Remover, Scratch, Store, StoreStatus } from './types.js';
export { FileLock } from './locks.js';
export { MissingArtifact } from './missing-artifact.js';
export { WrongDigest } from './wrong-digest.js';
export { openStore, type OpenOptions } from './local-store.js';
export { storeRoot } from './store-folder.js';
export { actionResultSchema, descriptorSchema } from './schemas.js';
export { artifactsOfActionResult, BadActionResult, decodeActionResult, encodeActionResult } from './action-result.js';
