import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, scanTree } from '@strata/fingerprint';
import { actionKey, ActionFailed, InputChanged, type Action, type ActionEvent } from './index.js';
import { Rig, waitForProcesses } from './testing/rig.js';

describe('an action', () => {
  let rig: Rig;
  let count = 0;

  beforeAll(async () => {
    rig = await Rig.make();
  });

  afterAll(() => rig.dispose());

  /** A folder of the machine with a file in it. */
  const makeTree = (): string => {
    const folder = join(rig.folder, `tree-${count++}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'one');
    return folder;
  };

  const copying = async (folder: string, before = ''): Promise<Action> =>
    rig.shell(`${before}cp /strata/in/tree/file /strata/out/copy`, {
      inputs: [{ kind: 'tree', name: 'tree', tree: await scanTree(absolutePath(folder), { gitIgnored: 'exclude' }) }],
      outputs: { copy: 'text/plain' },
    });

  it('runs once, and then starts nothing', async () => {
    const folder = makeTree();
    const action = await copying(folder);
    expect((await rig.run(action)).ran).toBe(true);
    const { PATH } = process.env;
    process.env['PATH'] = await rig.programs();
    try {
      const events: ActionEvent[] = [];
      const { ran, result } = await rig.run(action, { onEvent: (event) => events.push(event) });
      expect(ran).toBe(false);
      expect(result.outputs['copy']).toMatchObject({ mediaType: 'text/plain', size: 3 });
      expect(events.map(({ type }) => type)).toEqual(['hit']);
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  it('has a key of what it sees, and of nothing else', async () => {
    const [folder, same] = [makeTree(), makeTree()];
    const { key } = await actionKey(await copying(folder));
    const labelled = { ...(await copying(same)), label: 'other', hints: { JOBS: '9' }, devices: ['/dev/kvm'] };
    process.env['TZ'] = 'Asia/Tokyo';
    const umask = process.umask(0o077);
    expect((await actionKey(labelled)).key).toBe(key);
    process.umask(umask);
    delete process.env['TZ'];
    for (const different of [
      { argv: ['true'] },
      { environment: { A: 'b' } },
      { outputs: {} },
      { rootfs: { lower: [] } },
      { toolchain: [] },
      { inputs: [] },
    ]) {
      expect((await actionKey({ ...labelled, ...different })).key).not.toBe(key);
    }
    writeFileSync(join(folder, 'file'), 'two');
    expect((await actionKey(await copying(folder))).key).not.toBe(key);
  });

  it('sees what was declared, and nothing of the machine', async () => {
    const folder = makeTree();
    writeFileSync(join(rig.folder, 'beside'), '');
    process.env['STRATA_LEAK'] = 'leaked';
    const { inputs } = await copying(folder);
    const script = `
      uname -n; id -u; pwd; umask; ulimit -c; ulimit -s; env | sort
      cat /strata/in/tree/file; echo; ls /strata/in /sys /home 2> /dev/null || true
      for path in /strata/in/tree/../beside ${rig.folder} ${process.cwd()} ${process.env['HOME'] ?? '/root'}/. /etc/hostname; do
        test ! -e $path || echo "sees $path"
      done
      (echo x > /strata/in/tree/file) 2> /dev/null || echo read-only
      read line || echo no input
      grep -v ':/$' /proc/self/cgroup || true; ls /proc/self/fd | wc -l; grep -E 'SigIgn|Groups' /proc/self/status`;
    expect(await rig.lines(script, { inputs, environment: { OWN: '1' } })).toEqual([
      ...['strata', '0', '/strata/tmp', '0022', '0', '8192'],
      ...['HOME=/tmp', 'LC_ALL=C.UTF-8', 'OWN=1'],
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...['PWD=/strata/tmp', 'SHLVL=1', 'SOURCE_DATE_EPOCH=1700000000', 'TZ=UTC', '_=/usr/bin/env'],
      ...['one', '/strata/in:', 'tree', 'read-only', 'no input', '4'],
      ...['Groups:\t ', 'SigIgn:\t0000000000000000'],
    ]);
    delete process.env['STRATA_LEAK'];
  });

  it('does not see what git ignores in a tree, nor what is no part of it otherwise', async () => {
    const folder = makeTree();
    for (const path of ['.git/objects', 'empty', 'sub/ignored']) {
      mkdirSync(join(folder, path), { recursive: true });
    }
    for (const path of ['ignored', 'sub/ignored/file', 'sub/file', '.gitignore', 'sub/\u00e4.o']) {
      writeFileSync(join(folder, path), path === '.gitignore' ? 'ignored\n*.o\n' : path);
    }
    const whole = await scanTree(absolutePath(folder), { gitIgnored: 'include', exclude: ['**/ignored', '**/*.o'] });
    const inputs = [{ kind: 'tree' as const, name: 'deep/tree', tree: whole }];
    const printed = await rig.lines('cd /strata/in/deep/tree; find . | sort; cat sub/file', { inputs });
    expect(printed).toEqual(['.', './.gitignore', './file', './sub', './sub/file', 'sub/file']);
  });

  it('has no network, and resolves its own name', async () => {
    const script = `
      python3 - <<'END'
import socket
print(socket.gethostbyname('localhost'), socket.gethostbyname('strata'))
for address in ('127.0.0.1', '192.0.2.1'):
    try:
        socket.create_connection((address, 22), 2)
        print('connected')
    except OSError as error:
        print('failed')
END
      cat /etc/resolv.conf; head -n 1 /etc/passwd; test -c /dev/null -a -c /dev/urandom -a -d /dev/shm -a -e /dev/ptmx && echo devices`;
    expect(await rig.lines(script)).toEqual([
      ...['127.0.0.1 127.0.0.1', 'failed', 'failed', 'root:x:0:0:root:/root:/bin/sh', 'devices'],
    ]);
  });

  it('fails when an input is written to meanwhile, names it, and leaves nothing', async () => {
    const folder = makeTree();
    const file = join(folder, 'file');
    const action = await copying(folder, 'echo started; sleep 0.3; ');
    const edited = rig.run(action, {
      onEvent: (event) => {
        if (event.type === 'line') {
          appendFileSync(file, 'two');
          writeFileSync(file, 'one');
        }
      },
    });
    await expect(edited).rejects.toThrow(InputChanged);
    await expect(edited).rejects.toMatchObject({ input: file });
    expect(await rig.store.lookup((await actionKey(action)).key)).toBeUndefined();
    expect((await rig.run(await copying(folder, 'echo started; sleep 0.3; '))).ran).toBe(true);
  });

  it('tells its progress, its lines in order, and on failure the last ones and the log', async () => {
    const script = `
      echo '::strata:: {"phase":"compile","done":1,"total":2,"unit":"steps"}'
      for number in 1 2 3; do echo out $number > /dev/stdout; echo error $number > /dev/stderr; done; exit 3`;
    const events: ActionEvent[] = [];
    const error = await rig
      .run(rig.shell(script, { label: 'a/b:c' }), { onEvent: (event) => events.push(event) })
      .catch((thrown: unknown) => thrown);
    expect(events).toContainEqual(
      expect.objectContaining({ progress: { phase: 'compile', done: 1, total: 2, unit: 'steps' } }),
    );
    const lines = ['out 1', 'error 1', 'out 2', 'error 2', 'out 3', 'error 3'];
    expect(events.flatMap((event) => (event.type === 'line' ? [event.line] : []))).toEqual(lines);
    expect(error).toBeInstanceOf(ActionFailed);
    expect(error).toMatchObject({ outcome: 'status 3', lastLines: lines });
    const { log } = error as ActionFailed;
    expect(log).toMatch(/\/logs\/a-b-c-[0-9a-f]{12}\.log$/);
    expect(readFileSync(log, 'utf8')).toBe(`${lines.join('\n')}\n`);
  });

  it('must leave each output as a file of its own', async () => {
    const outputs = { made: 'text/plain' };
    await expect(rig.run(rig.shell('true', { outputs }))).rejects.toThrow('did not leave its output made');
    await expect(rig.run(rig.shell('ln -s /etc/passwd /strata/out/made', { outputs }))).rejects.toThrow('regular file');
    const noted = `echo > /strata/out/made; echo '{"note":"of it"}' > /strata/out/made.annotations.json`;
    const { result } = await rig.run(rig.shell(noted, { outputs }));
    expect(result.outputs['made']?.annotations).toEqual({ note: 'of it' });
  });

  it('names the space that ran out', async () => {
    const full = rig.run(rig.shell('head -c 1M /dev/zero > /dev/full'));
    await expect(full).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining('space') as unknown,
    });
  });

  it('runs once for two processes that ask at the same time', async () => {
    const both = await Promise.all([rig.outcome('echo x > file', true), rig.outcome('echo x > file', true)]);
    expect(both.map(({ ran }) => ran).sort()).toEqual([false, true]);
  });

  it('ends with everything below it when it is interrupted, also while it waits for another', async () => {
    const word = `${4000 + process.pid}.25`;
    const action = rig.shell(`echo up; sleep ${word} & sleep ${word} & (trap '' INT TERM HUP; sleep ${word})`);
    const [first, second] = [new AbortController(), new AbortController()];
    let waits: Promise<unknown> | undefined;
    const running = rig.run(action, {
      signal: first.signal,
      onEvent: (event) => {
        if (event.type === 'line') {
          waits = rig.run(action, {
            signal: second.signal,
            onEvent: ({ type }) => {
              if (type === 'waiting') {
                second.abort();
              }
            },
          });
          waits.catch(() => {
            first.abort();
          });
        }
      },
    });
    await expect(running).rejects.toThrow(/abort/);
    await expect(waits).rejects.toThrow(/abort/);
    expect(await waitForProcesses(word, 0)).toBe(0);
    const leftovers = readdirSync(join(rig.store.root, 'scratch'))
      .map((name) => join(rig.store.root, 'scratch', name))
      .filter((path) => !path.endsWith('.lock') && existsSync(path))
      .flatMap((path) => readdirSync(path));
    expect(leftovers).toEqual([]);
  });
});
