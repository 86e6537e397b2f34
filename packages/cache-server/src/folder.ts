import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { FileLock } from '@strata/store';
import type { EntryKind } from './names.js';

const markerName = 'strata-cache';

/** Where a server without configuration keeps everything: `$XDG_CACHE_HOME/strata-cache`, else `~/.cache/strata-cache`. */
export function defaultFolder(environment: NodeJS.ProcessEnv): AbsolutePath {
  const { XDG_CACHE_HOME: caches } = environment;
  return absolutePath(
    join(caches !== undefined && isAbsolute(caches) ? caches : join(homedir(), '.cache'), markerName),
  );
}

/**
 * The cache's folder:
 *
 * - `scopes/SCOPE/artifacts/HEX.SIZE`: content; the same content is one file, with a hard link in each scope that has it
 * - `scopes/SCOPE/{nx,ac}/NAME.json`: entries; each names a file of `scopes/SCOPE/bodies/`
 * - `partial/SCOPE.HEX`: beginnings of uploads
 * - `incoming/`: what is being written; `trash/`: what is being deleted
 *
 * Everything comes into its place by a rename once its bytes are on the disk, and leaves it by a rename into the trash,
 * so that whatever is in its place is whole. What a killed server left of the rest is cleared away at the next start.
 */
export class CacheFolder {
  private constructor(
    readonly root: AbsolutePath,
    private readonly lock: FileLock,
  ) {}

  /** Opens it, alone. Throws a {@link UserError} where it is something else, or another server has it open. */
  static async open(root: AbsolutePath): Promise<CacheFolder> {
    claim(root);
    const lock = await FileLock.tryTake(absolutePath(join(root, markerName)));
    if (lock === undefined) {
      throw new UserError(`another strata-cache serves from ${root}`, {
        hint: 'stop it, or give this one a folder of its own with --folder',
      });
    }
    const folder = new CacheFolder(root, lock);
    for (const name of ['scopes', 'partial', 'incoming', 'trash']) {
      mkdirSync(join(root, name), { recursive: true, mode: 0o700 });
    }
    await rm(join(root, 'trash'), { recursive: true, force: true });
    mkdirSync(join(root, 'trash'), { mode: 0o700 });
    return folder;
  }

  close(): void {
    this.lock.release();
  }

  /** A new file for something that is being written. Of an artifact's, the name tells whose beginning it is. */
  incoming(artifact?: { readonly scope: string; readonly hex: string }): string {
    const whose = artifact === undefined ? '' : `${artifact.scope}.${artifact.hex}.`;
    return join(this.root, 'incoming', `${whose}${randomUUID()}`);
  }

  partial(scope: string, hex: string): string {
    return join(this.root, 'partial', `${scope}.${hex}`);
  }

  artifact(scope: string, hex: string, size: number): string {
    return join(this.root, 'scopes', scope, 'artifacts', `${hex}.${size}`);
  }

  entry(kind: EntryKind, scope: string, name: string): string {
    return join(this.root, 'scopes', scope, kind, `${name}.json`);
  }

  body(scope: string, file: string): string {
    return join(this.root, 'scopes', scope, 'bodies', file);
  }

  /** The folders of a scope are made when it first writes. */
  furnish(scope: string): void {
    for (const name of ['artifacts', 'nx', 'ac', 'bodies']) {
      mkdirSync(join(this.root, 'scopes', scope, name), { recursive: true, mode: 0o700 });
    }
  }

  /** Takes a file out of its place at once. Deleting it, which takes a while for a large one, is left for after. */
  discard(file: string): void {
    const away = join(this.root, 'trash', randomUUID());
    try {
      renameSync(file, away);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return;
      }
      throw error;
    }
    // what is left there by a failure goes at the next start
    rm(away, { force: true }).catch(() => undefined);
  }
}

function claim(root: AbsolutePath): void {
  try {
    mkdirSync(dirname(root), { recursive: true });
    // not `recursive`: on some file systems (/proc) Node would try for ever
    if (!existsSync(root)) {
      mkdirSync(root, { mode: 0o700 });
    }
    const names = readdirSync(root).filter((name) => name !== 'lost+found');
    if (names.length > 0 && !names.includes(markerName)) {
      throw new UserError(`${root} is not empty, and is not a folder of strata-cache (it has no file ${markerName})`, {
        hint: 'give an empty folder, or one that does not exist yet, with --folder',
      });
    }
    writeFileSync(join(root, markerName), '', { flag: 'a', mode: 0o600 });
  } catch (cause) {
    if (cause instanceof UserError) {
      throw cause;
    }
    throw new UserError(`${root} cannot be used: ${(cause as Error).message}`, {
      hint: 'give a folder that you may write to with --folder',
      cause,
    });
  }
}

/** Has a file's bytes, or a folder's names, written to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
