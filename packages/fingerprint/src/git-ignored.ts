import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '@strata/definitions';

interface GitAnswer {
  readonly code: number | string;
  readonly output: Buffer;
  readonly errors: string;
}

/** Variables by which a git hook would point our git at its own repository (`git rev-parse --local-env-vars`). */
const localVariables = [
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_CONFIG',
  'GIT_CONFIG_PARAMETERS',
  'GIT_DIR',
  'GIT_GRAFT_FILE',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PREFIX',
  'GIT_WORK_TREE',
];

function git(folder: string, argv: readonly string[]): Promise<GitAnswer> {
  const environment: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' };
  for (const name of localVariables) {
    Reflect.deleteProperty(environment, name);
  }
  const options = { cwd: folder, env: environment, encoding: 'buffer', maxBuffer: 1 << 28 } as const;
  return new Promise((resolve) => {
    execFile('git', argv, options, (error, output, errors) => {
      resolve({ code: error === null ? 0 : (error.code ?? 'killed'), output, errors: errors.toString() });
    });
  });
}

function isInRepository(folder: string): boolean {
  const parent = dirname(folder);
  return existsSync(join(folder, '.git')) || (parent !== folder && isInRepository(parent));
}

function ignoredRoot(root: string): UserError {
  return new UserError(`git ignores the folder ${root}`, {
    hint: 'take it out of .gitignore, or declare it as the output of the task that makes it',
  });
}

/**
 * What git ignores below a folder, a file or a whole folder each: relative paths whose characters stand for bytes
 * (latin-1), without trailing slashes. Empty outside of a git repository. Throws a {@link UserError} where there is a
 * repository and git does not answer (it is missing, or distrusts the repository's owner), since guessing would put
 * build products into a tree; and where git ignores the folder itself.
 */
export async function gitIgnoredPaths(root: string): Promise<string[]> {
  const answer = await git(root, ['ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z']);
  if (answer.code === 0) {
    const paths = answer.output.toString('latin1').split('\0');
    if (paths.includes('./')) {
      throw ignoredRoot(root);
    }
    return paths.filter((path) => path !== '').map((path) => path.replace(/\/$/, ''));
  }
  if (answer.code === 'ENOENT') {
    if (!isInRepository(root)) {
      return [];
    }
    throw new UserError(`${root} is in a git repository, and git cannot be started`, {
      hint: 'install the Debian package git',
    });
  }
  if (answer.errors.includes('not a git repository (or any')) {
    return [];
  }
  // below an ignored folder some versions of git fail with an internal error
  if ((await git(root, ['check-ignore', '--quiet', '.'])).code === 0) {
    throw ignoredRoot(root);
  }
  throw new UserError(`git cannot tell what it ignores in ${root}`, {
    details: answer.errors.trim().split('\n'),
    hint: 'do what git says, so that `git status` works in that folder',
  });
}
