import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readState, type FileState } from './file-state.js';
import { gitIgnoredPaths } from './git-ignored.js';
import { bytePath, decodeUtf8 } from './paths.js';
import { explainReading } from './reading.js';

/** What of a folder is not part of its tree. */
export interface WalkOptions {
  /** Whether to ask git what it ignores, in this folder and in every repository below it. */
  readonly askGit: boolean;
  /** Relative paths to leave out, with all that is below them. */
  readonly exclude: readonly string[];
}

/** What was found: relative paths. */
export interface WalkedTree {
  /** Every folder with its state from before it was listed, so that what comes into it later is noticed. */
  readonly folders: ReadonlyMap<string, FileState>;
  /** Everything else. */
  readonly files: readonly string[];
}

async function list(root: string, folder: string): Promise<{ name: Buffer; isFolder: boolean }[]> {
  try {
    const entries = await readdir(join(root, folder), { encoding: 'buffer', withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  } catch (error) {
    throw explainReading(error, join(root, folder));
  }
}

/** Lists a folder. `.git` is left out, whether it is a folder or, as in submodules, a file. */
export async function walk(root: string, options: WalkOptions): Promise<WalkedTree> {
  const skip = new Set(options.exclude.map(bytePath));
  const folders = new Map<string, FileState>();
  const files: string[] = [];
  const dotGit = Buffer.from('.git');

  const askGit = async (folder: string): Promise<void> => {
    for (const path of await gitIgnoredPaths(join(root, folder))) {
      skip.add(folder === '' ? path : `${bytePath(folder)}/${path}`);
    }
  };
  const visit = async (folder: string): Promise<void> => {
    try {
      folders.set(folder, await readState(root, folder));
    } catch (error) {
      throw explainReading(error, join(root, folder));
    }
    const entries = await list(root, folder);
    if (options.askGit && (folder === '' || entries.some(({ name }) => name.equals(dotGit)))) {
      await askGit(folder);
    }
    const prefix = folder === '' ? '' : `${folder}/`;
    const bytePrefix = bytePath(prefix);
    for (const { name, isFolder } of entries) {
      if (name.equals(dotGit) || skip.has(bytePrefix + name.toString('latin1'))) {
        continue;
      }
      const path = prefix + decodeUtf8(name, (text) => `the name of ${join(root, prefix + text)}`);
      if (isFolder) {
        await visit(path);
      } else {
        files.push(path);
      }
    }
  };
  await visit('');
  return { folders, files };
}
