import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { digestOfJson } from '@strata/fingerprint';
import type { ActionKey, Descriptor, Store } from '@strata/store';
import { execa } from 'execa';
import { tarballMediaType } from './tarball.js';

function keyOf(commit: string): ActionKey {
  return digestOfJson({ git: 1, commit }) as ActionKey;
}

/** The tree of a commit that is in the store already, as a tar. */
export async function knownCommit(store: Store, commit: string): Promise<Descriptor | undefined> {
  return (await store.lookup(keyOf(commit)))?.outputs['tree'];
}

/** Fetches the tree of a commit as a tar. What a commit holds never changes, so it is fetched once. */
export async function fetchGit(store: Store, url: string, commit: string, signal?: AbortSignal): Promise<Descriptor> {
  const known = await knownCommit(store, commit);
  if (known !== undefined) {
    return known;
  }
  const scratch = await store.scratch();
  try {
    const git = (...words: string[]): Promise<unknown> =>
      execa('git', ['--git-dir', join(scratch.path, 'git'), ...words], {
        stdin: 'ignore',
        env: { GIT_TERMINAL_PROMPT: '0' },
        ...(signal === undefined ? {} : { cancelSignal: signal }),
      });
    const tar = join(scratch.path, 'tree.tar');
    await git('init', '--quiet', '--bare');
    await git('fetch', '--quiet', '--depth=1', url, commit);
    await git('archive', '--format=tar', `--output=${tar}`, commit);
    const tree = await store.put(createReadStream(tar), { mediaType: tarballMediaType });
    await store.record(keyOf(commit), { outputs: { tree } });
    return tree;
  } catch (cause) {
    signal?.throwIfAborted();
    const { stderr, message } = cause as { stderr?: string; message: string };
    const said = stderr ?? message;
    throw new UserError(`the commit ${commit.slice(0, 12)} of ${url} cannot be fetched`, {
      details: said.split('\n').slice(-3),
      hint: 'see whether `git fetch` of it works by hand; some servers give out the commits of branches only',
      cause,
    });
  } finally {
    await scratch.dispose();
  }
}
