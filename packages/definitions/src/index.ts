export { UserError, type Place, type UserErrorOptions } from './user-error.js';
export {
  aKind,
  definitionKind,
  kinds,
  type Definition,
  type ImageDefinition,
  type InitramfsDefinition,
  type KernelDefinition,
  type Kind,
  type LayerDefinition,
  type PrefixDefinition,
  type RepositoryDefinition,
  type SysextDefinition,
} from './definition.js';
export { parseBytes, seconds, type TreeSource } from './common.js';
export { boards, configurationFolders, prefixRepositories, type Board, type PrefixRepository } from './prefix.js';
export { fieldPaths, fieldReference, jsonSchema } from './json-schema.js';
export { definitionText, readDefinition, type ReadDefinition } from './loader.js';
export type { FieldPath } from './problems.js';
export { someOf, suggest } from './suggest.js';
export { namedPaths, type NamedPath } from './paths.js';
export { references, type Reference } from './references.js';
export { ancestors, checkWorkspace, type PlacedDefinition } from './workspace.js';
