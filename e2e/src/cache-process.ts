import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './repository.js';

/** A server of the team's cache, as `npx strata-cache serve` starts it. */
export class CacheProcess {
  readonly folder = mkdtempSync('/var/tmp/strata-cache-');
  #child: ChildProcess | undefined;
  #variables: Readonly<Record<string, string>> = {};

  /** The variables that it says are to be exported. */
  get variables(): Readonly<Record<string, string>> {
    return this.#variables;
  }

  get port(): number {
    return Number(new URL(this.#variables['NX_SELF_HOSTED_REMOTE_CACHE_SERVER'] ?? '').port);
  }

  /** Starts it, on a port of its own at first and then on the same. */
  async start(): Promise<void> {
    const program = join(repositoryRoot, 'packages/cache-server/bin/strata-cache.js');
    const port = Object.keys(this.#variables).length === 0 ? '0' : String(this.port);
    const words = [program, 'serve', '--folder', this.folder, '--port', port, '--log-level', 'error'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const exports = [...said.matchAll(/^export (\S+?)=(\S+)\n/gm)];
        if (exports.length === 2) {
          this.#variables = Object.fromEntries(exports.map(([, name = '', value = '']) => [name, value]));
          resolve();
        }
      });
      child.once('close', () => {
        reject(new Error(`strata-cache ended: ${said}`));
      });
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
    }
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
