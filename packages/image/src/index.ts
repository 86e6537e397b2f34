export { privateApt, machineMirror, type Apt, type Source } from './debian/apt.js';
export { bootstrapAction, seedIdentity, seedOf, type BootstrapParameters } from './debian/bootstrap.js';
export {
  debFileName,
  debMediaType,
  wheelMediaType,
  fetchLocked,
  knownLocked,
  PinnedVersionGone,
  type FetchLockOptions,
  type LockedFiles,
} from './debian/fetch.js';
export {
  formatLock,
  lockRequest,
  parseLock,
  type Lock,
  type LockReader,
  type LockRequest,
  type LockedPackage,
  type LockedWheel,
} from './debian/lock.js';
export { resolveLock, resolvePackages, type Bootstrap } from './debian/resolve.js';
export {
  composeAction,
  type ComposeParameters,
  type ComposedScript,
  type ComposedTree,
  type TreeRule,
} from './compose.js';
export {
  compareFileSystems,
  type Aspect,
  type ComparedSystem,
  type Comparison,
  type FileChange,
  type PackageChange,
} from './compare/compare.js';
export { FileSystem } from './compare/file-system.js';
export { formatComparison, type ComparisonFormat } from './compare/format.js';
export type { InstalledPackage } from './compare/installed-packages.js';
export { listingAction, parseListing, type FileNode, type Listing } from './compare/listing.js';
export { devicesOf, type Device } from './devices.js';
export { exportFiles, exportTree } from './export.js';
export { initramfsAction, type InitramfsParameters } from './initramfs.js';
export { parseKernelDescription, prebuiltKernelAction, sourceKernelAction, type KernelDescription } from './kernel.js';
export { formatBytes, formatSizeReport, parseSizeReport, type SizeReport } from './size-report.js';
export { squashfsAction, squashfsMediaType, type SquashfsCompression, type SquashfsParameters } from './squashfs.js';
export { signatureAction, sysextAction, sysextFiles, type SysextParameters } from './sysext.js';
export { checksums, transferFiles, versionedName, type Update } from './sysupdate.js';
export { DebianSourceMirror } from './debian/source-mirror.js';
export { tarballAction } from './tarball.js';
