export type { AbsolutePath, Digest, JsonValue, ScannedTree, TreeChange, TreeEntry, TreeManifest } from './types.js';
export { canonicalJson } from './canonical-json.js';
export { absolutePath, digestOf, digestOfFile, digestOfJson, hexOf, isDigest, parseDigest } from './digest.js';
export { compareTrees } from './compare.js';
export { changeToken } from './file-state.js';
export { comparePaths } from './paths.js';
export { scanTree, type ScanOptions } from './tree.js';
