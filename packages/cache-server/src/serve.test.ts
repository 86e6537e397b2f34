import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UserError } from '@strata/definitions';
import { readAccess } from './access.js';
import { readServeOptions, readTls } from './options.js';
import { freshBytes, hexOf, RawClient, team, TestServer } from './testing/rig.js';

const bin = fileURLToPath(new URL('../bin/strata-cache.js', import.meta.url));
const server = new TestServer();
afterAll(() => server.dispose());

/** Runs the command until it ends; gives its exit code and what it printed. */
function run(...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(bin, words, { env: { ...process.env, XDG_CACHE_HOME: server.root } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('strata-cache serve', () => {
  it('needs no configuration, and has the same token the next time', async () => {
    const environment = { XDG_CACHE_HOME: server.root };
    const without = new TestServer();
    try {
      await without.start({ environment, words: ['--folder', join(server.root, 'strata-cache')] });
      await without.put('/v1/cache/1', 'kept');
      const { token, url } = without;
      expect([new URL(url).hostname, token.length > 40]).toEqual(['127.0.0.1', true]);
      await without.end('SIGTERM');
      expect(statSync(join(server.root, 'strata-cache', 'local-token')).mode & 0o777).toBe(0o600);
      await without.start({ environment, words: ['--folder', join(server.root, 'strata-cache')] });
      expect(without.token).toBe(token);
      expect(await without.get('/v1/cache/1')).toMatchObject({ text: 'kept' });
    } finally {
      await without.dispose();
    }
  });

  it('lets requests end when it is told to stop', async () => {
    await server.start();
    const content = freshBytes(2_000_000);
    const hex = hexOf(content);
    const upload = new RawClient(server.url);
    const head = `PUT /cas/${hex} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n`;
    upload.write(`${head}Content-Length: 2000000\r\n\r\n`);
    upload.write(content.subarray(0, 1_000_000));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ended = server.end('SIGTERM');
    const refused = (): Promise<boolean> =>
      server.ask('GET', '/health').then(
        ({ status }) => status === 503,
        () => true,
      );
    while (!(await refused())) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    upload.write(content.subarray(1_000_000));
    expect(await upload.closed()).toMatch(/^HTTP\/1.1 200 /);
    expect(await ended).toBe(0);
    await server.start();
    expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
  });

  it('has a folder for itself alone', async () => {
    const second = await run('serve', '--folder', server.folder, '--port', '0');
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toBe(
      `error: another strata-cache serves from ${server.folder}\n` +
        'hint: stop it, or give this one a folder of its own with --folder\n',
    );
    const foreign = join(server.root, 'foreign');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'thesis.tex'), 'x');
    expect((await run('serve', '--folder', foreign)).stderr).toMatch(
      /is not empty, and is not a folder of strata-cache/,
    );
  });

  it.each([
    [['--port', 'http'], '--port cannot be http'],
    [['--port', '65536'], '--port cannot be 65536'],
    [['--size', 'lots'], '--size cannot be lots'],
    [['--patience', '5'], '--patience cannot be 5'],
    [['--log-level', 'all'], '--log-level cannot be all'],
    [['--host', '0.0.0.0'], 'needs a tokens file'],
    [['--tls-cert', 'x'], 'go together'],
  ])('takes no %j', (words, message) => {
    const reading = (): unknown => readServeOptions(words, {});
    expect(reading).toThrow(UserError);
    expect(reading).toThrow(message);
  });

  it('says what is wrong in one line', async () => {
    for (const [words, message] of [
      [['--nonsense'], "Unknown option '--nonsense'"],
      [['--folder', '/proc/x'], '/proc/x cannot be used'],
    ] as const) {
      const { code, stdout, stderr } = await run('serve', ...words);
      const [error, hint, ...more] = stderr.trim().split('\n');
      expect({ code, stdout, error, hint, more }).toEqual({
        code: 1,
        stdout: '',
        error: expect.stringMatching(/^error: /) as unknown,
        hint: expect.stringMatching(/^hint: /) as unknown,
        more: [],
      });
      expect(error).toContain(message);
    }
  });

  it('takes no tokens from a file that others may write to, and none or a certificate from one that is not there', () => {
    const file = join(server.root, 'loose.yaml');
    writeFileSync(file, team().file);
    chmodSync(file, 0o600);
    expect(readAccess(file).trusted).toEqual(new Set(['main']));
    chmodSync(file, 0o620);
    const pem = { cert: '/none', key: '/none' };
    for (const [reading, message] of [
      [() => readAccess(file), 'can be written to by others'],
      [() => readAccess('/none'), 'the tokens cannot be read'],
      [() => readTls(pem), 'the certificate cannot be read'],
    ] as const) {
      expect(reading).toThrow(UserError);
      expect(reading).toThrow(message);
    }
  });

  it('takes no port that is taken', async () => {
    const { port } = new URL(server.url);
    const { stderr } = await run('serve', '--folder', join(server.root, 'unused'), '--port', port);
    expect(stderr).toContain('something else listens there');
  });
});

describe('strata-cache token', () => {
  it('makes a token, and the line for the file that lets it in', async () => {
    const { stdout, stderr } = await run('token');
    const line = stderr.split('\n').find((one) => one.includes('sha256'))!;
    const tokens = `scopes: { main: { trusted: true } }\ntokens:\n${line.replaceAll('CHOOSE', 'main')}\n`;
    const made = new TestServer();
    try {
      await made.start({ tokens });
      expect(await made.put('/v1/cache/1', 'x', stdout.trim())).toMatchObject({ status: 200 });
    } finally {
      await made.dispose();
    }
  });
});

/** Uploads as Strata does, in a process that is told of the certificate as users do. */
async function uploadTenFiles({ url, token }: TestServer, folder: string, certificate: string): Promise<void> {
  const script = `
    import { createHash, randomBytes } from 'node:crypto';
    import { writeFileSync } from 'node:fs';
    import { HttpRemote } from '@strata/store';
    const [url, token, file] = process.argv.slice(1);
    for (let index = 0; index < 10; index++) {
      const content = randomBytes(520);
      writeFileSync(file, content);
      const digest = 'sha256:' + createHash('sha256').update(content).digest('hex');
      const remote = new HttpRemote({ url, token });
      await remote.upload({ mediaType: 'text/plain', digest, size: content.length }, file);
      await remote.close();
    }`;
  const words = ['--input-type=module', '--eval', script, url, token, join(folder, 'file')];
  await promisify(execFile)(process.execPath, words, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
  });
}

describe('HTTPS', () => {
  it('is served with a certificate, and with the next one after SIGHUP', async () => {
    const folder = mkdtempSync('/var/tmp/strata-cache-tls-');
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const makeCertificate = (): string => {
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1', '-nodes'];
      const how = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
      execFileSync('openssl', [...how, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
      return readFileSync(cert, 'utf8');
    };
    const health = (url: string, ca: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        https
          .get(`${url}/health`, { ca, agent: false }, ({ statusCode }) => {
            resolve(statusCode);
          })
          .once('error', reject);
      });
    const secure = new TestServer();
    try {
      const first = makeCertificate();
      await secure.start({ words: ['--tls-cert', cert, '--tls-key', key] });
      expect(secure.url).toMatch(/^https:/);
      expect(await health(secure.url, first)).toBe(200);
      // every one over a connection of its own, which takes longer to make than a file to be read
      await uploadTenFiles(secure, folder, cert);
      const second = makeCertificate();
      await expect(health(secure.url, second)).rejects.toThrow(/certificate/);
      secure.process?.kill('SIGHUP');
      while ((await health(secure.url, second).catch(() => undefined)) !== 200) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      await secure.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('Nx itself', () => {
  it('keeps its results here, and has them back on another machine', () => {
    const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
    const workspace = join(server.root, 'workspace');
    mkdirSync(join(workspace, 'p'), { recursive: true });
    writeFileSync(join(workspace, 'package.json'), '{"name":"workspace","private":true}');
    writeFileSync(join(workspace, 'nx.json'), '{}');
    symlinkSync(modules, join(workspace, 'node_modules'));
    const build = { command: 'mkdir -p dist && date +%N > dist/made', cache: true, outputs: ['{workspaceRoot}/dist'] };
    writeFileSync(join(workspace, 'p', 'project.json'), JSON.stringify({ name: 'p', targets: { build } }));
    const runOn = (machine: string): string => {
      rmSync(join(workspace, 'dist'), { recursive: true, force: true });
      const environment = {
        ...{ NX_DAEMON: 'false', NX_TUI: 'false', NX_CACHE_DIRECTORY: join(server.root, machine), CI: 'true' },
        NX_WORKSPACE_DATA_DIRECTORY: join(server.root, `${machine}-data`),
        NX_SELF_HOSTED_REMOTE_CACHE_SERVER: server.url,
        NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: server.token,
      };
      const words = [join(modules, 'nx/dist/bin/nx.js'), 'run', 'p:build', '--outputStyle=static'];
      const printed = execFileSync(process.execPath, words, {
        cwd: workspace,
        env: { ...process.env, ...environment },
        encoding: 'utf8',
      });
      return printed + readFileSync(join(workspace, 'dist', 'made'), 'utf8');
    };
    const [first, second] = [runOn('one'), runOn('two')];
    expect(second).toContain('remote cache');
    expect(second.split('\n').at(-2)).toBe(first.split('\n').at(-2));
  });
});
