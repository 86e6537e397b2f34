import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { absolutePath, scanTree } from '@strata/fingerprint';
import { ActionFailed, type Action, type Surroundings, type Undeclared } from './index.js';
import { Rig } from './testing/rig.js';

/** Asks the resolver of the C library, as any program does, and says nothing. */
function lookUp(...hosts: readonly string[]): string {
  const program = `
import socket
for host in ${JSON.stringify(hosts)}:
    try:
        socket.getaddrinfo(host, 80)
    except OSError:
        pass`;
  return `python3 -c '${program}'`;
}

describe('what an action asks for and does not declare', () => {
  let rig: Rig;
  let surroundings: Surroundings;

  beforeAll(async () => {
    rig = await Rig.make();
    const workspaceRoot = absolutePath(join(rig.folder, 'a workspace'));
    surroundings = { workspaceRoot, folder: absolutePath(join(workspaceRoot, 'os/tools')) };
    for (const file of ['os/tools/scripts/run.sh', 'os/tools/tree/kept', 'os/other/file']) {
      mkdirSync(join(workspaceRoot, dirname(file)), { recursive: true });
      writeFileSync(join(workspaceRoot, file), '');
    }
    writeFileSync(join(workspaceRoot, 'os/tools/tree/ignored'), '');
  });

  afterAll(() => rig.dispose());

  const asked = async (script: string, more: Partial<Action> = {}): Promise<Undeclared> => {
    const failed: unknown = await rig
      .run(rig.shell(`${script}\nexit 1`, more), { surroundings })
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ActionFailed);
    return (failed as ActionFailed).undeclared;
  };

  const paths = async (script: string, more: Partial<Action> = {}): Promise<string[]> =>
    (await asked(script, more)).paths.map(({ place, path }) => `${place}: ${path}`);

  it('is named for what it is: of the workspace, of HOME, of /etc', async () => {
    const { workspaceRoot } = surroundings;
    const script = `
      cat /etc/hostname ../other/file || true
      cp ~/.ssh/id_rsa '${homedir()}/.config/token' . || true
      ls '${workspaceRoot}/nx.json' tree/kept || true
      cat os/other/file < ../other/missing || true
      python3 -c 'open("/etc/machine-id")' || true`;
    expect(await paths(script)).toEqual([
      'etc: /etc/hostname',
      'etc: /etc/machine-id',
      'workspace: nx.json',
      'workspace: os/other/file',
      'workspace: os/tools/tree/kept',
      'home: ~/.config/token',
      'home: ~/.ssh/id_rsa',
    ]);
  });

  it('is found from where its inputs lie, and is never one of them', async () => {
    const { folder } = surroundings;
    const script = absolutePath(join(folder, 'scripts/run.sh'));
    const tree = await scanTree(absolutePath(join(folder, 'tree')), { gitIgnored: 'include', exclude: ['ignored'] });
    const inputs = [
      { kind: 'file' as const, name: 'scripts/0/run.sh', path: script },
      { kind: 'tree' as const, name: 'trees/0', tree },
    ];
    const reading = `
      cd /strata/in/scripts/0
      cat /strata/in/scripts/0/../../other/file /strata/in/trees/0/ignored /strata/in/trees/0/gone || true
      echo "sh: 1: /strata/in/scripts/0/run.sh: not found"; cat /strata/in/other ../tree/kept || true`;
    expect(await paths(reading, { inputs })).toEqual([
      'workspace: os/other/file',
      'workspace: os/tools/tree/gone',
      'workspace: os/tools/tree/ignored',
    ]);
  });

  it('is nothing that is only missing in the sandbox itself', async () => {
    const script = `
      cat /usr/share/gone ./made/file built.o /tmp/half-made /strata/root/etc/gone /etc ../nowhere || true
      cat /etc/passwd > /dev/null; test -e /etc/quiet || true; gone-program || true`;
    expect(await asked(script)).toEqual({ paths: [], hosts: [] });
  });

  it('knows other folders that are HOME to a program', async () => {
    const homes = ['/strata/tmp/build/home'];
    expect(await paths('cat /strata/tmp/build/home/.netrc || true', { homes })).toEqual(['home: ~/.netrc']);
    expect(await paths('HOME=/x; cat ~/.netrc || true', { environment: { HOME: '/x' } })).toEqual(['home: ~/.netrc']);
  });

  it('is found by a second look where the programs say nothing, and the action is worth one', async () => {
    const { workspaceRoot } = surroundings;
    const script = `
      test ! -e ../other/file -a ! -e '${workspaceRoot}/os/tools/tree/kept' -a ! -e '${workspaceRoot}/gone'
      (cat /etc/hostname || cat < /etc/gone || cat ../gone) 2> /dev/null || true
      python3 -c 'import os; os.path.exists("/etc/passwd/x"); os.stat("/usr")'`;
    expect(await paths(script)).toEqual([]);
    expect(await paths(script, { secondLook: true })).toEqual([
      ...(existsSync('/etc/hostname') ? ['etc: /etc/hostname'] : []),
      'workspace: os/other/file',
      'workspace: os/tools/tree/kept',
    ]);
  });

  it('is not looked for again once something was noticed, and tells of the first run', async () => {
    const script = 'cat /etc/hostname || true; test ! -e ../other/file';
    expect(await paths(script, { secondLook: true })).toEqual(['etc: /etc/hostname']);
    const lines: string[] = [];
    const failed = rig.run(rig.shell('echo once; exit 7', { secondLook: true }), {
      surroundings,
      onEvent: (event) => event.type === 'line' && lines.push(event.line),
    });
    await expect(failed).rejects.toMatchObject({ outcome: 'status 7', lastLines: ['once'] });
    expect(lines).toEqual(['once']);
  });

  it('is each host, even if the program says nothing about it', async () => {
    const script = `${lookUp('Example.org', 'deep.example.net', 'localhost', 'strata', 'example.org')}
      echo 'curl: (7) Failed to connect to 192.0.2.7 port 80 after 0 ms'`;
    expect(await asked(script)).toEqual({ paths: [], hosts: ['192.0.2.7', 'deep.example.net', 'example.org'] });
  });

  it('is told in the last moment, too', async () => {
    const killed = `${lookUp('late.example.org')}; kill -KILL $$`;
    for (let round = 0; round < 5; round++) {
      expect((await asked(killed)).hosts).toEqual(['late.example.org']);
    }
  });

  it('is no more than fits on a screen', async () => {
    const { paths: most } = await asked(
      'for i in $(seq 100); do cat /etc/gone-$i || true; done'.replace('$(seq 100)', '{1..100}'),
    );
    expect(most).toHaveLength(20);
  });

  it('is the same for an ordinary user', async () => {
    const outcome = await rig.outcome(`cat /etc/hostname || true; ${lookUp('example.org')}; exit 1`, false, {
      subordinateIds: 65536,
    });
    const paths = [{ place: 'etc', path: '/etc/hostname' }];
    expect(outcome.undeclared).toEqual({ paths, hosts: ['example.org'] });
    const quiet = await rig.outcome('cat /etc/hostname 2> /dev/null', false, { subordinateIds: 65536 });
    expect(quiet.undeclared).toEqual({ paths: existsSync('/etc/hostname') ? paths : [], hosts: [] });
  });

  it('does not matter where the action succeeds', async () => {
    const { ran } = await rig.run(rig.shell(`cat /etc/hostname || true; ${lookUp('example.org')}`), { surroundings });
    expect(ran).toBe(true);
  });
});
