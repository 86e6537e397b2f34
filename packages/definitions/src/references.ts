import type { Definition, Kind, SysextDefinition } from './definition.js';
import type { FieldPath } from './problems.js';

/** A place of a definition that names another project. */
export interface Reference {
  readonly project: string;
  /** What the project has to be; undefined where it may be any project. */
  readonly kind: Kind | undefined;
  readonly path: FieldPath;
  /** The target of it that is needed, where the definition names one. */
  readonly target?: string;
}

type Add = (project: string | undefined, kind: Kind | undefined, path: FieldPath, target?: string) => void;

function addTask(source: string | { readonly task: string }, path: FieldPath, add: Add): void {
  if (typeof source !== 'string') {
    const [project = '', ...target] = source.task.split(':');
    add(project, undefined, path, target.join(':'));
  }
}

function sysextReferences({ from, base, test }: SysextDefinition, add: Add): void {
  if (from.tree !== undefined) {
    addTask(from.tree, ['from', 'tree', 'task'], add);
  }
  if ('prefix' in from) {
    add(from.prefix, 'prefix', ['from', 'prefix']);
  } else if ('layers' in from) {
    from.layers.forEach((name, index) => {
      add(name, 'layer', ['from', 'layers', index]);
    });
  }
  add(base, 'layer', ['base']);
  test?.on.forEach((name, index) => {
    add(name, 'image', ['test', 'on', index]);
  });
}

/** Every reference of a definition to another project. */
export function references(definition: Definition): Reference[] {
  const found: Reference[] = [];
  const add: Add = (project, kind, path, target) => {
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
        addTask(source, ['trees', index, 'source', 'task'], add);
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
    case 'sysext':
      sysextReferences(definition, add);
      break;
    case 'kernel':
      break;
  }
  return found;
}
