import type { Definition, Kind } from './definition.js';
import type { FieldPath } from './loader.js';

/** A place of a definition that names another project. */
export interface Reference {
  readonly project: string;
  /** What the project has to be; undefined where it may be any project. */
  readonly kind: Kind | undefined;
  readonly path: FieldPath;
  /** The target of it that is needed, where the definition names one. */
  readonly target?: string;
}

/** Every reference of a definition to another project. */
export function references(definition: Definition): Reference[] {
  const found: Reference[] = [];
  const add = (project: string | undefined, kind: Kind | undefined, path: FieldPath, target?: string): void => {
    if (project !== undefined) {
      found.push({ project, kind, path, ...(target === undefined ? {} : { target }) });
    }
  };
  if (definition.kind === 'repository') {
    return found;
  }
  add(definition.toolchain, 'layer', ['toolchain']);
  switch (definition.kind) {
    case 'layer':
      if (typeof definition.from === 'string' && definition.from !== 'scratch') {
        add(definition.from, 'layer', ['from']);
      }
      definition.repositories?.forEach((name, index) => {
        add(name, 'repository', ['repositories', index]);
      });
      definition.trees?.forEach(({ source }, index) => {
        if (typeof source !== 'string') {
          const [project = '', ...target] = source.task.split(':');
          add(project, undefined, ['trees', index, 'source', 'task'], target.join(':'));
        }
      });
      break;
    case 'prefix':
      definition.repositories.forEach((entry, index) => {
        const path = ['repositories', index];
        if (typeof entry === 'string') {
          add(entry, 'repository', path);
        } else {
          add(entry.name, 'repository', [...path, 'name']);
        }
      });
      break;
    case 'initramfs':
      add(definition.kernel, 'kernel', ['kernel']);
      break;
    case 'image':
      definition.layers.forEach((name, index) => {
        add(name, 'layer', ['layers', index]);
      });
      add(definition.kernel, 'kernel', ['kernel']);
      add(definition.initramfs, 'initramfs', ['initramfs']);
      add(definition.vm.toolchain, 'layer', ['vm', 'toolchain']);
      break;
    case 'kernel':
      break;
  }
  return found;
}
