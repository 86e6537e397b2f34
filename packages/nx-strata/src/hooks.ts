import type { PostTasksExecution, PreTasksExecution } from '@nx/devkit';
import type { Session } from './sharing/session.js';

/** Sessions of commands that run, by Nx's ids of those; the process of a plugin may serve several. */
const sessions = new Map<string, Session>();

/** Whether what is printed here reaches a log of Nx's daemon, and no user. */
function isUnseen(): boolean {
  return process.env['NX_DAEMON_PROCESS'] === 'true';
}

function mayHaveRemotes(options: unknown): boolean {
  const { STRATA_REMOTE: own = '', NX_SELF_HOSTED_REMOTE_CACHE_SERVER: nx = '' } = process.env;
  return own !== '' || nx !== '' || (typeof options === 'object' && options !== null && 'remotes' in options);
}

function say(line: string): void {
  console.error(line);
}

/**
 * Before the tasks of a command: begins to share what they make. Nothing that goes wrong here fails the command; where
 * nobody named a remote, nothing is loaded.
 */
export const preTasksExecution: PreTasksExecution = async (options, { id }) => {
  if (!mayHaveRemotes(options)) {
    return;
  }
  try {
    const [{ Session }, { pluginOptionsSchema }] = await Promise.all([
      import('./sharing/session.js'),
      import('./model.js'),
    ]);
    const { data } = pluginOptionsSchema.safeParse(options ?? {});
    const session = await Session.begin(process.env, data?.remotes, !isUnseen());
    if (session !== undefined) {
      sessions.set(id, session);
      Object.assign(process.env, session.variables);
    }
  } catch {
    // the tasks meet the same mistake, and say it
  }
};

/** After the tasks of a command: finishes what is being uploaded, and says what was wrong with remotes. */
export const postTasksExecution: PostTasksExecution = async (_options, { id }) => {
  const session = sessions.get(id);
  sessions.delete(id);
  try {
    (await session?.end(say))?.forEach(say);
  } catch (error) {
    say(`warning: what was built is not shared: ${(error as Error).message}`);
  }
};
