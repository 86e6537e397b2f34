import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './servers.js';

/** The machine's nginx, else Debian's own, unpacked into a folder: nothing is installed, and no service is started. */
function program(folder: string): string {
  if (existsSync('/usr/sbin/nginx')) {
    return '/usr/sbin/nginx';
  }
  execFileSync('apt-get', ['--quiet=2', '-o', 'APT::Sandbox::User=root', 'download', 'nginx'], { cwd: folder });
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  execFileSync('dpkg-deb', ['--extract', file, 'debian'], { cwd: folder });
  return join(folder, 'debian/usr/sbin/nginx');
}

async function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** nginx as a cache: its WebDAV module keeps what is PUT below `/cas` and `/ac`. */
export class Nginx {
  private constructor(
    readonly url: string,
    /** The folder whose files it serves. */
    readonly folder: string,
    private readonly process: ChildProcess,
    private readonly scratch: string,
  ) {}

  static async start(): Promise<Nginx> {
    const scratch = mkdtempSync('/var/tmp/strata-nginx-');
    const folder = join(scratch, 'cache');
    const port = await freePort();
    for (const name of ['cache', 'tmp']) {
      mkdirSync(join(scratch, name));
    }
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${scratch}/tmp/${name};`)
      .join(' ');
    writeFileSync(
      join(scratch, 'nginx.conf'),
      `daemon off; master_process off; pid ${scratch}/pid; error_log ${scratch}/error.log;
       events {}
       http {
         access_log off; ${temporary}
         server {
           listen 127.0.0.1:${port};
           location ~ ^/(cas|ac)/ {
             root ${folder};
             dav_methods PUT;
             create_full_put_path on;
             client_max_body_size 1G;
           }
           location / { return 405; }
         }
       }`,
    );
    // a test that is killed leaves no server behind
    const command = ['--pdeathsig', 'KILL', program(scratch), '-p', scratch, '-c', join(scratch, 'nginx.conf')];
    const nginx = spawn('setpriv', command, { stdio: 'inherit' });
    while (!(await listens(port))) {
      if (nginx.exitCode !== null) {
        throw new Error('nginx does not start');
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Nginx(`http://127.0.0.1:${port}`, folder, nginx, scratch);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('close', resolve));
    this.process.kill('SIGTERM');
    await ended;
    rmSync(this.scratch, { recursive: true });
  }
}
