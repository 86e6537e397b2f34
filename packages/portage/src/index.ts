export {
  DistfileMismatch,
  DistfileUnavailable,
  fetchDistfiles,
  knownDistfile,
  type FetchOptions,
  type Mirror,
} from './fetch/distfiles.js';
export { mergeAction, parseMergedPackages, type MergedPackages, type MergeParameters } from './merge.js';
export {
  parsePlan,
  planAction,
  planMediaType,
  shimsFolder,
  type Distfile,
  type Plan,
  type PlannedRepository,
  type PlanParameters,
} from './plan.js';
