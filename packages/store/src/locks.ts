import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AbsolutePath } from '@strata/fingerprint';
import { UserError } from '@strata/definitions';

/** A held lock. */
export interface Lock {
  release(): Promise<void>;
}

async function flock(file: AbsolutePath, options: readonly string[], signal?: AbortSignal): Promise<Lock | undefined> {
  signal?.throwIfAborted();
  // `cat` ends when this process does, however it ends, and the kernel frees the lock with it
  const holder = spawn('flock', [...options, file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(holder, 'exit');
  exited.catch(() => undefined);
  const stopWaiting = (): void => {
    holder.kill('SIGKILL');
    holder.stdin.destroy();
  };
  signal?.addEventListener('abort', stopWaiting, { once: true });
  const locked = await new Promise<boolean>((resolve, reject) => {
    holder.once('error', (cause) => {
      reject(new UserError('flock cannot be started', { hint: 'install the Debian package util-linux', cause }));
    });
    holder.once('exit', () => {
      resolve(false);
    });
    holder.stdout.once('data', () => {
      resolve(true);
    });
  }).finally(() => {
    signal?.removeEventListener('abort', stopWaiting);
  });
  if (!locked) {
    signal?.throwIfAborted();
    return undefined;
  }
  // a lock that is held until the process ends may not keep the process from ending
  holder.unref();
  for (const pipe of [holder.stdin, holder.stdout] as unknown as { unref(): void }[]) {
    pipe.unref();
  }
  return {
    release: async () => {
      holder.ref();
      holder.stdin.end();
      await exited;
    },
  };
}

/**
 * Takes the lock of a file, waiting for it as long as it takes. Node has no flock(2), so util-linux's `flock` holds it
 * for us.
 *
 * @param onWaiting called once if another process holds the lock
 * @param signal ends the waiting; its reason is thrown
 */
export async function lockFile(
  file: AbsolutePath,
  mode: 'exclusive' | 'shared',
  onWaiting?: () => void,
  signal?: AbortSignal,
): Promise<Lock> {
  const option = mode === 'exclusive' ? '--exclusive' : '--shared';
  const free = await flock(file, [option, '--nonblock'], signal);
  if (free !== undefined) {
    return free;
  }
  onWaiting?.();
  const lock = await flock(file, [option], signal);
  if (lock === undefined) {
    throw new UserError(`${file} cannot be locked`, { hint: 'see whether its file system supports flock(2)' });
  }
  return lock;
}

/** Takes the lock of a file where nobody else holds it. */
export function tryLockFile(file: AbsolutePath): Promise<Lock | undefined> {
  return flock(file, ['--exclusive', '--nonblock']);
}
