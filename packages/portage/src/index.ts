export {
  distfileMediaType,
  DistfileMismatch,
  DistfileUnavailable,
  fetchDistfiles,
  knownDistfile,
  type FetchOptions,
  type Mirror,
  type WantedDistfile,
} from './fetch/distfiles.js';
export { fetchGit, knownCommit } from './fetch/git.js';
export { fetchTarball, knownTarball, tarballMediaType, type FetchFileOptions } from './fetch/tarball.js';
export { finalAction, parsePrefixReport, type FinalParameters, type PrefixReport } from './final.js';
export { mergeAction, parseMergedPackages, type MergedPackages, type MergeParameters } from './merge.js';
export { buildPackages, type BuiltPackage, type PackageNode } from './build-packages.js';
export { binaryPackageMediaType, packageAction, type PackageParameters } from './package.js';
export {
  parsePlan,
  planAction,
  planMediaType,
  shimsFolder,
  type Distfile,
  type Plan,
  type PlannedPackage,
  type PlannedRepository,
  type PlanParameters,
} from './plan.js';
export { type PrefixSettings } from './prefix.js';
export { programTestAction, type ProgramStep, type ProgramTestParameters } from './program-test.js';
export { prefixToolRunnable, prefixTools, type PrefixTool, type PrefixToolParameters } from './prefix-tool.js';
