import { lstatSync, readdirSync } from 'node:fs';
import { gitIgnoredPaths } from './git-ignored.js';
import { below, bytePath, decodeUtf8, sortPaths } from './paths.js';
import { explainReading } from './reading.js';
import { StateTable } from './state-table.js';
import { Turns } from './turns.js';

/** What of a folder is not part of its tree. */
export interface WalkOptions {
  /** Whether to ask git what it ignores in every repository below this folder. */
  readonly askGit: boolean;
  /** Relative paths to leave out, with all that is below them: their characters stand for bytes (latin-1). */
  readonly skip: Iterable<string>;
  /** Adds the state of a path to a table and says where, if it was found out before; else does nothing. */
  readonly earlier: (path: string, table: StateTable) => number | undefined;
}

/** What was found. */
export interface WalkedTree {
  /** Relative, sorted by bytes: files, links, whatever else there is, and the folders that hold any of these. */
  readonly paths: readonly string[];
  /** The state of each, from before it was read, and of folders from before they were listed. */
  readonly states: StateTable;
  /** Folders that were listed and hold none of these. */
  readonly empty: { readonly paths: readonly string[]; readonly states: StateTable };
  /** Whether there are repositories below, with rules of their own. */
  readonly hasRepositories: boolean;
}

/** Lists a folder. `.git` is left out, whether it is a folder or, as in submodules, a file. */
export async function walk(root: string, options: WalkOptions): Promise<WalkedTree> {
  const skip = new Set(options.skip);
  const paths: string[] = [];
  const states = new StateTable();
  const turns = new Turns();
  /** Rows in the order of their paths. */
  const order: number[] = [];
  const emptyFolders = new Set<number>();
  let hasRepositories = false;

  const askGit = async (folder: string): Promise<void> => {
    for (const path of await gitIgnoredPaths(below(root, folder))) {
      skip.add(`${bytePath(folder)}/${path}`);
    }
  };
  const list = async (folder: string, prefix: string): Promise<string[]> => {
    const absolute = below(root, folder);
    const names = readdirSync(absolute);
    if (options.askGit && folder !== '' && names.includes('.git')) {
      hasRepositories = true;
      await askGit(folder);
    }
    // this may stand for bytes that are not UTF-8
    if (!names.some((name) => name.includes('\ufffd'))) {
      return names.filter((name) => name !== '.git' && (skip.size === 0 || !skip.has(bytePath(prefix + name))));
    }
    const bytePrefix = bytePath(prefix);
    return readdirSync(absolute, { encoding: 'buffer' })
      .filter((name) => name.toString('latin1') !== '.git' && !skip.has(bytePrefix + name.toString('latin1')))
      .map((name) => decodeUtf8(name, (text) => `the name of ${below(root, prefix + text)}`));
  };
  /** Lists what is below a folder, and says whether there is anything but folders. */
  const visit = async (folder: string): Promise<boolean> => {
    const prefix = folder === '' ? '' : `${folder}/`;
    const rows = new Map<string, number>();
    // a folder's content is sorted as if the folder were called `NAME/`: there may be a sibling between it and its content
    const keys: string[] = [];
    try {
      for (const name of await list(folder, prefix)) {
        const path = prefix + name;
        const row = options.earlier(path, states) ?? states.push(lstatSync(below(root, path), { bigint: true }));
        paths[row] = path;
        rows.set(name, row);
        keys.push(name);
        if (states.type(row) === 'folder') {
          keys.push(`${name}/`);
        }
        if (turns.due) {
          await turns.give();
        }
      }
    } catch (error) {
      throw explainReading(error, (error as { path?: string }).path ?? below(root, folder));
    }
    let holds = false;
    for (const key of sortPaths(keys)) {
      const name = key.endsWith('/') ? key.slice(0, -1) : key;
      const row = rows.get(name) ?? -1;
      if (name === key) {
        order.push(row);
        holds ||= states.type(row) !== 'folder';
      } else if (await visit(prefix + name)) {
        holds = true;
      } else {
        emptyFolders.add(row);
      }
    }
    return holds;
  };
  await visit('');
  const rowsOf = (rows: readonly number[]): { paths: string[]; states: StateTable } => ({
    paths: rows.map((row) => paths[row] ?? ''),
    states: states.pick(rows),
  });
  const kept = order.filter((row) => !emptyFolders.has(row));
  return { ...rowsOf(kept), empty: rowsOf([...emptyFolders]), hasRepositories };
}
