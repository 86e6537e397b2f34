import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newToken } from '../access.js';

const bin = fileURLToPath(new URL('../../bin/strata-cache.js', import.meta.url));

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

/** What a request has besides its method and path. */
export interface Sending {
  /** Undefined: the server's own; null: none. */
  readonly token?: string | null | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | undefined;
}

/** The SHA-256 of content, in hex digits. */
export function hexOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Bytes that were never seen before. */
export function freshBytes(size: number): Buffer {
  return randomBytes(size);
}

/** Sends a request, and waits for the whole answer. */
export function ask(url: string, method: string, path: string, sending: Sending): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { token, headers = {}, body } = sending;
    const authorization = token === null || token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const options = { method, path, headers: { ...length, ...authorization, ...headers }, agent: false } as const;
    const request = http.request(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () => {
        const whole = Buffer.concat(parts);
        const { statusCode: status = 0, headers: got } = response;
        resolve({ status, headers: got, body: whole, text: whole.toString() });
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** A connection of one's own, for what no library would send. */
export class RawClient {
  readonly socket: Socket;
  #received = '';

  constructor(url: string) {
    const { port } = new URL(url);
    this.socket = connect(Number(port), '127.0.0.1');
    this.socket.on('data', (data) => (this.#received += data.toString('latin1')));
    this.socket.on('error', () => undefined);
  }

  /** Waits until the other side closes, and gives everything that it sent. */
  async closed(): Promise<string> {
    if (!this.socket.closed) {
      await new Promise((resolve) => this.socket.once('close', resolve));
    }
    return this.#received;
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }
}

/** How a server is started. */
export interface StartOptions {
  readonly words?: readonly string[];
  /** A command line that it is to be started by. */
  readonly under?: readonly string[];
  /** The text of a tokens file. */
  readonly tokens?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

/** The command `strata-cache serve` in a process of its own, with a folder that outlives it. */
export class TestServer {
  readonly root = mkdtempSync('/var/tmp/strata-cache-');
  readonly folder = join(this.root, 'cache');
  readonly tokensFile = join(this.root, 'tokens.yaml');
  /** Where it serves. */
  url = '';
  /** Of a server without a tokens file. */
  token = '';
  log = '';
  process: ChildProcess | undefined;

  async start({ words = [], under = [], tokens, environment = {} }: StartOptions = {}): Promise<void> {
    if (tokens !== undefined) {
      writeFileSync(this.tokensFile, tokens, { mode: 0o600 });
    }
    const access = tokens === undefined ? [] : ['--tokens', this.tokensFile];
    const line = [...under, bin, 'serve', '--folder', this.folder, '--port', '0', ...access, ...words];
    const child = spawn('env', line, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    this.process = child;
    let printed = '';
    child.stderr.on('data', (part: Buffer) => (this.log += part.toString()));
    const ended = once(child, 'close');
    const wanted = tokens === undefined ? 2 : 1;
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (part: Buffer) => {
        printed += part.toString();
        if (printed.split('\n').length > wanted) {
          resolve();
        }
      });
      void ended.then(() => {
        reject(new Error(`the server ended: ${this.log}`));
      });
    });
    this.url = /SERVER=(\S+)/.exec(printed)?.[1] ?? '';
    this.token = /TOKEN=(\S+)/.exec(printed)?.[1] ?? '';
  }

  /** Ends it, with no chance to clean up where the signal says so. Gives its exit code. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.process;
    this.process = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    const closed = once(child, 'close') as Promise<[number | null]>;
    child.kill(signal);
    return (await closed)[0];
  }

  /** Kills it, and starts another one in the same folder. */
  async restart(options: StartOptions = {}): Promise<void> {
    await this.end('SIGKILL');
    await this.start(options);
  }

  async dispose(): Promise<void> {
    await this.end();
    rmSync(this.root, { recursive: true, force: true });
  }

  ask(method: string, path: string, sending: Sending = {}): Promise<Answer> {
    return ask(this.url, method, path, { ...sending, token: sending.token === undefined ? this.token : sending.token });
  }

  get(path: string, token?: string): Promise<Answer> {
    return this.ask('GET', path, { token });
  }

  put(path: string, body: Buffer | string, token?: string): Promise<Answer> {
    return this.ask('PUT', path, { token, body });
  }

  /** Stores an artifact, and gives its digest in hex digits. */
  async putArtifact(content: Buffer | string, token?: string): Promise<string> {
    const hex = hexOf(content);
    const { status, text } = await this.put(`/cas/${hex}`, content, token);
    if (status !== 200) {
      throw new Error(`PUT answered ${status}: ${text}`);
    }
    return hex;
  }
}

/** Tokens of a team, and the text of their file: `main` is trusted, and two scopes of pull requests read it. */
export function team(): { readonly file: string; readonly tokens: Readonly<Record<Member, string>> } {
  const members: readonly (readonly [Member, string])[] = [
    ['ci', 'scope: main, write: true, metrics: true'],
    ['laptop', 'scope: main'],
    ['pull', 'scope: pull-requests, write: true'],
    ['fork', 'scope: forks, write: true'],
    ['late', 'scope: main, write: true, expires: 2020-01-01T00:00:00Z'],
  ];
  const made = members.map(([name, rest]) => ({ name, rest, ...newToken() }));
  const lines = made.map(({ name, rest, sha256 }) => `  - { name: ${name}, sha256: ${sha256}, ${rest} }`);
  const scopes =
    'scopes:\n  main: { trusted: true }\n  pull-requests: { reads: [main] }\n  forks: { reads: [main] }\ntokens:\n';
  return {
    file: `${scopes}${lines.join('\n')}\n`,
    tokens: Object.fromEntries(made.map(({ name, token }) => [name, token])) as Record<Member, string>,
  };
}

type Member = 'ci' | 'laptop' | 'pull' | 'fork' | 'late';
