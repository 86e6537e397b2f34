import type { Definition } from './definition.js';
import { configurationFolders } from './prefix.js';
import type { FieldPath } from './problems.js';

/** A path that a definition names, relative to its own folder. */
export interface NamedPath {
  readonly path: string;
  readonly field: FieldPath;
}

function listed(paths: readonly string[] | undefined, field: string): NamedPath[] {
  return (paths ?? []).map((path, index) => ({ path, field: [field, index] }));
}

function configuration(folders: string | readonly string[] | undefined): NamedPath[] {
  return typeof folders === 'string'
    ? [{ path: folders, field: ['portageConfig'] }]
    : listed(configurationFolders(folders), 'portageConfig');
}

/** Every file and folder of the workspace that a definition names. */
export function namedPaths(definition: Definition): NamedPath[] {
  switch (definition.kind) {
    case 'repository':
      return 'folder' in definition.source ? [{ path: definition.source.folder, field: ['source', 'folder'] }] : [];
    case 'layer': {
      const { from, trees = [] } = definition;
      return [
        ...(typeof from === 'object' && 'debian' in from
          ? [{ path: from.debian.lock, field: ['from', 'debian', 'lock'] }]
          : []),
        ...configuration(definition.portageConfig),
        ...trees.flatMap(({ source }, index): NamedPath[] =>
          typeof source === 'string' ? [{ path: source, field: ['trees', index, 'source'] }] : [],
        ),
        ...listed(definition.scripts, 'scripts'),
      ];
    }
    case 'prefix':
      return configuration(definition.portageConfig);
    case 'kernel': {
      const { from } = definition;
      if ('debian' in from) {
        return [{ path: from.debian.lock, field: ['from', 'debian', 'lock'] }];
      }
      return [
        ...('debian' in from.source
          ? [{ path: from.source.debian.lock, field: ['from', 'source', 'debian', 'lock'] }]
          : []),
        { path: from.config, field: ['from', 'config'] },
      ];
    }
    case 'sysext': {
      const { from, verity } = definition;
      return [
        ...('tree' in from && typeof from.tree === 'string' ? [{ path: from.tree, field: ['from', 'tree'] }] : []),
        ...(typeof verity === 'object' ? [{ path: verity.certificate, field: ['verity', 'certificate'] }] : []),
      ];
    }
    case 'initramfs':
    case 'image':
      return [];
  }
}
