import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, type PlacedDefinition } from '@strata/definitions';
import { formatLock, resolveLock, resolvePackages, type Lock } from '@strata/image';

/** Which of the packages that a kernel's meta package brings is the kernel, or its source. */
const kernelPackage = /^linux-(image-\d|source-)/;

/** The lock file that a definition names, and how it is made anew; undefined where it names none. */
function lockOf({ definition }: PlacedDefinition): { file: string; resolve: () => Promise<Lock> } | undefined {
  if (definition.kind === 'layer' && typeof definition.from === 'object' && 'debian' in definition.from) {
    const { debian } = definition.from;
    return { file: debian.lock, resolve: () => resolveLock(debian) };
  }
  if (definition.kind === 'kernel') {
    const { from } = definition;
    const debian = 'debian' in from ? from.debian : 'debian' in from.source ? from.source.debian : undefined;
    return debian && { file: debian.lock, resolve: () => resolvePackages(debian, [debian.package], kernelPackage) };
  }
  return undefined;
}

/** Moves the lock file of a project forward to what its suite has now. Gives back the path of the lock file. */
export async function updateLock(workspaceRoot: string, placed: PlacedDefinition): Promise<string> {
  const lock = lockOf(placed);
  if (lock === undefined) {
    throw new UserError(`${placed.name} has no lock file`, {
      place: placed.place([]),
      hint: 'only Debian bootstraps and kernels from Debian have one',
    });
  }
  const file = `${placed.root}/${lock.file}`;
  writeFileSync(join(workspaceRoot, file), formatLock(await lock.resolve()));
  return file;
}
