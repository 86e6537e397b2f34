import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, scanTree, type AbsolutePath } from '@strata/fingerprint';
import {
  ActionFailed,
  layerMediaType,
  openUserStore,
  packScript,
  runAction,
  scriptInput,
  type Action,
  type LayerDescriptor,
} from '@strata/sandbox';
import type { Store } from '@strata/store';
import { toolchain } from './rig.js';

describe('an action in the sandbox', () => {
  let store: Store;
  let folder: AbsolutePath;

  beforeAll(async () => {
    store = await openUserStore();
  });

  beforeEach(() => {
    folder = absolutePath(mkdtempSync('/var/tmp/strata-sandbox-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const shell = (script: string, more: Partial<Action> = {}): Action => ({
    label: 'test:action',
    toolchain: toolchain('vm-toolchain'),
    inputs: [],
    argv: ['sh', '-euc', script],
    outputs: {},
    ...more,
  });

  const lines = async (action: Action): Promise<string[]> => {
    const printed: string[] = [];
    await runAction(store, action, {
      force: true,
      onEvent: (event) => event.type === 'line' && printed.push(event.line),
    });
    return printed;
  };

  it('sees the toolchain and what was declared, and nothing of the machine', async () => {
    writeFileSync(join(folder, 'file'), '');
    const script = `
      hostname; cat /etc/hostname 2> /dev/null || echo no name of the machine; env | sort
      ls -A /home /var/tmp /tmp /run /sys /strata/in 2> /dev/null | grep -v :$ | grep . || echo nothing
      for path in ${folder} ${process.cwd()} ${process.execPath} ${process.env['HOME'] ?? '/root'}/.npmrc; do
        test ! -e $path || echo "sees $path"
      done
      wc -l < /proc/net/route; wc -c < /etc/resolv.conf`;
    const before = { ...process.env };
    Object.assign(process.env, { STRATA_LEAK: 'leaked', HOSTNAME: 'leaked', TZ: 'Asia/Tokyo' });
    const printed = await lines(shell(script, { environment: { OWN: '1' } })).finally(() => {
      process.env = before;
    });
    expect(printed).toEqual([
      ...['strata', 'no name of the machine'],
      ...['HOME=/tmp', 'LC_ALL=C.UTF-8', 'OWN=1'],
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...['PWD=/strata/tmp', 'SOURCE_DATE_EPOCH=1700000000', 'TZ=UTC'],
      ...['nothing', '1', '0'],
    ]);
  });

  it('sees the /usr and /etc of its toolchain, file by file, and not those of the machine', async () => {
    const layers = toolchain('vm-toolchain');
    expect(layers).toHaveLength(1);
    const script = `
      list() { cd "$1"; find usr etc bin lib sbin opt root var/lib -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort; }
      list / > /strata/tmp/seen; list /strata/in/toolchain > /strata/tmp/declared
      test $(wc -l < /strata/tmp/seen) -gt 1000; diff /strata/tmp/declared /strata/tmp/seen || true`;
    const inputs = layers.map((layer) => ({ kind: 'layer' as const, name: 'toolchain', layer }));
    const differences = await lines(shell(script, { inputs }));
    expect(
      differences.filter((line) => !/^[<>] etc(\/(hosts|resolv\.conf))? |^[\d,]+[acd][\d,]+$|^---$/.test(line)),
    ).toEqual([]);
  });

  it('leaves the same times whenever it runs', async () => {
    const layer = await pack([], 'mkdir folder; echo now > folder/file; ln -s file folder/link');
    const script = 'cd /strata/in/made; stat -c %Y folder folder/file folder/link';
    expect(await lines(shell(script, { inputs: [{ kind: 'layer', name: 'made', layer }] }))).toEqual([
      ...['1700000000', '1700000000', '1700000000'],
    ]);
  });

  it('has no network', async () => {
    const script =
      'python3 -c "import socket; socket.create_connection((\'127.0.0.1\', 22), 2)" 2>&1 | tail -n 1; ls /sys/class/net 2> /dev/null || true';
    expect((await lines(shell(script))).join()).toMatch(/refused|unreachable/i);
  });

  it('runs once for the same inputs, and again when one changes', async () => {
    writeFileSync(join(folder, 'file'), 'one');
    const build = async (): Promise<boolean> => {
      const tree = await scanTree(folder, { gitIgnored: 'include' });
      const action = shell('cp /strata/in/tree/file /strata/out/copy', {
        inputs: [{ kind: 'tree', name: 'tree', tree }],
        outputs: { copy: 'text/plain' },
      });
      return (await runAction(store, action)).ran;
    };
    expect(await build()).toBe(true);
    expect(await build()).toBe(false);
    writeFileSync(join(folder, 'file'), 'two');
    expect(await build()).toBe(true);
  });

  it('fails when an input changes while it runs, even if that is put back, and caches nothing', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'one');
    const tree = await scanTree(folder, { gitIgnored: 'include' });
    const action = shell('echo started; sleep 1; cp /strata/in/tree/file /strata/out/copy', {
      inputs: [{ kind: 'tree', name: 'tree', tree }],
      outputs: { copy: 'text/plain' },
    });
    const edited = runAction(store, action, {
      onEvent: (event) => {
        if (event.type === 'line') {
          appendFileSync(file, 'two');
          writeFileSync(file, 'one');
        }
      },
    });
    await expect(edited).rejects.toThrow('changed while building');
    const again = await scanTree(folder, { gitIgnored: 'include' });
    expect((await runAction(store, { ...action, inputs: [{ kind: 'tree', name: 'tree', tree: again }] })).ran).toBe(
      true,
    );
  });

  it('says what the command said last when it fails, and where the whole log is', async () => {
    const failed = runAction(store, shell('echo one; echo two >&2; exit 3'));
    await expect(failed).rejects.toThrow(ActionFailed);
    await failed.catch((error: unknown) => {
      expect(error).toMatchObject({ outcome: 'status 3', lastLines: ['one', 'two'] });
      expect((error as ActionFailed).log).toContain(store.root);
    });
  });

  it('ends everything below it when it is interrupted', async () => {
    const controller = new AbortController();
    const running = runAction(store, shell('sleep 4711 & sleep 4711'), {
      signal: controller.signal,
      onEvent: (event) =>
        event.type === 'started' &&
        setTimeout(() => {
          controller.abort();
        }, 500),
    });
    await expect(running).rejects.toThrow();
    expect(spawnSync('pgrep', ['-f', 'sleep 4711']).status).toBe(1);
  });

  it('leaves no process behind when the process that asked for it is killed', async () => {
    const script = `
      import { openUserStore, runAction } from ${JSON.stringify(import.meta.resolve('@strata/sandbox'))};
      const action = ${JSON.stringify(shell('echo up; sleep 4712 & sleep 4712'))};
      await runAction(await openUserStore(), action, { onEvent: (event) => event.type === 'line' && console.log(event.line) });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    for (let tries = 0; tries < 20 && spawnSync('pgrep', ['-f', 'sleep 4712']).status === 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(spawnSync('pgrep', ['-f', 'sleep 4712']).status).toBe(1);
  });

  const pack = async (lower: readonly LayerDescriptor[], script: string, force = false): Promise<LayerDescriptor> => {
    const { result } = await runAction(
      store,
      shell(`cd /strata/root; ${script}; python3 /strata/in/bin/pack.py delta --upper /strata/upper`, {
        rootfs: { lower },
        inputs: [scriptInput('pack.py', packScript)],
        outputs: { 'layer.tar.zst': layerMediaType },
      }),
      { force },
    );
    return result.outputs['layer.tar.zst'] as LayerDescriptor;
  };

  it('carries owners, set-uid bits, links and attributes through layers', async () => {
    const attribute = `python3 -c "import os; os.setxattr('a/tool', 'user.note', bytes([1, 255]))"`;
    const bottom = await pack(
      [],
      `mkdir -p a/b; echo x > a/tool; chown 33:42 a/tool; chmod 4755 a/tool; ln a/tool a/hard; ln -s tool a/soft; ${attribute}`,
    );
    const top = await pack([bottom], 'rm a/soft; rm -r a/b; mkdir a/b; touch a/b/new');
    const show = `stat -c '%n %u:%g %a %h' a/tool a/hard; find . | sort; python3 -c "import os; print(os.getxattr('a/hard', 'user.note'))"`;
    const printed = await lines(shell(`cd /strata/root; ${show}`, { rootfs: { lower: [bottom, top] } }));
    expect(printed).toEqual([
      'a/tool 33:42 4755 2',
      'a/hard 33:42 4755 2',
      '.',
      './a',
      './a/b',
      './a/b/new',
      './a/hard',
      './a/tool',
      "b'\\x01\\xff'",
    ]);
  });

  it('packs the same bytes when it is forced to run again', async () => {
    const script = 'mkdir -p z y; for i in 3 1 2; do echo $i > z/$i; ln -s ../z/$i y/$i; done';
    const first = await pack([], script);
    expect((await pack([], script, true)).digest).toBe(first.digest);
  });

  it('stands on forty layers', async () => {
    const layers: LayerDescriptor[] = [];
    for (let index = 0; index < 40; index++) {
      layers.push(await pack([], `echo ${index} > file-${index}`));
    }
    expect(await lines(shell('ls /strata/root | wc -l', { rootfs: { lower: layers } }))).toEqual(['40']);
  });
});
