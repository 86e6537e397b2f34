export type { ActionKey, ActionResult, Descriptor, PutOptions, Remover, Scratch, Store, StoreStatus } from './types.js';
export { tryLockFile, type Lock } from './locks.js';
export { MissingArtifact } from './missing-artifact.js';
export { WrongDigest } from './wrong-digest.js';
export { openStore, storeRoot, type OpenOptions } from './local-store.js';
export { actionResultSchema, descriptorSchema } from './schemas.js';
