export { privateApt, machineMirror, type Apt, type Source } from './debian/apt.js';
export { bootstrapAction, makeSeed, type BootstrapParameters } from './debian/bootstrap.js';
export {
  debFileName,
  fetchLocked,
  PinnedVersionGone,
  type FetchLockOptions,
  type LockedFiles,
} from './debian/fetch.js';
export { formatLock, parseLock, type Lock, type LockedPackage, type LockedWheel } from './debian/lock.js';
export { resolveLock, resolvePackages, type Bootstrap } from './debian/resolve.js';
