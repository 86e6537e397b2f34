export type {
  ActionKey,
  ActionResult,
  Collected,
  Descriptor,
  PutOptions,
  Remover,
  Scratch,
  Store,
  StoreStatus,
  Transfer,
  Work,
} from './types.js';
export { FileLock } from './locks.js';
export { MissingArtifact } from './missing-artifact.js';
export { WrongDigest } from './wrong-digest.js';
export { openLocalStore, openRemotes, openStore, type OpenOptions, type RemoteUse } from './open-store.js';
export { storeRoot } from './store-folder.js';
export { actionResultSchema, descriptorSchema } from './schemas.js';
export { artifactsOfActionResult, BadActionResult, decodeActionResult, encodeActionResult } from './action-result.js';
export { remoteAddresses, type RemoteAddress, type RemoteOptions } from './remotes/addresses.js';
export { RemoteFault, type Remote } from './remotes/remote.js';
export { HttpRemote, type HttpRemoteOptions } from './remotes/http-remote.js';
export { noProxyVariables } from './remotes/proxies.js';
export { Remotes } from './remotes/remotes.js';
export { Uploader } from './remotes/uploader.js';
