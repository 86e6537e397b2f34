import { inUserNamespace } from './index.js';
import { allLines, Rig, waitForProcesses } from './testing/rig.js';

const packing = `
  cd /strata/root; mkdir -p a/b; echo x > a/tool; chown 33:42 a/tool; chmod 4755 a/tool; ln a/tool a/b/hard
  chown 1000:65535 a/b; python3 -c "import os; os.setxattr('a/tool', 'user.note', b'1')"
  python3 - <<'END'
import os, struct
open('a/ping', 'w').close()
os.setxattr('a/ping', 'security.capability', struct.pack('<IIIII', 0x02000001, 0x400, 0, 0, 0))
END`;

describe('a machine', () => {
  let rig: Rig;
  const asRoot = process.getuid?.() === 0;

  beforeAll(async () => {
    rig = await Rig.make();
  });

  afterAll(() => rig.dispose());

  it('gives the same key and the same bytes, whoever asks, wherever and however', async () => {
    const elsewhere = {
      STRATA_STORE: `${rig.folder}/elsewhere`,
      TZ: 'America/New_York',
      LC_ALL: 'POSIX',
      MAKEFLAGS: '-j7',
    };
    const mine = await rig.outcome(packing, true);
    const others = [await rig.outcome(packing, true, { umask: '077', environment: elsewhere })];
    if (asRoot) {
      others.push(await rig.outcome(packing, true, { subordinateIds: 65536, umask: '027' }));
    }
    for (const other of others) {
      expect(other).toEqual({ ...mine, ran: true });
    }
    expect(mine.layer).toBeDefined();
  });

  it('reaps everything when the process that asked is killed', async () => {
    const word = `${4000 + process.pid}.5`;
    for (const circumstances of asRoot ? [{}, { subordinateIds: 65536 }] : [{}]) {
      const child = await rig.start(
        `for i in 1 2 3; do sleep ${word} & done; exec sleep ${word}`,
        false,
        circumstances,
      );
      const ended = allLines(child);
      expect(await waitForProcesses(word, 4)).toBe(4);
      child.kill('SIGKILL');
      expect(await waitForProcesses(word, 0)).toBe(0);
      await ended;
    }
  });

  it('reaps what its own tools started, too', async () => {
    const word = `${4000 + process.pid}.75`;
    const scratch = await rig.store.scratch();
    const controller = new AbortController();
    const tool = inUserNamespace(['sh', '-c', `sleep ${word} & sleep ${word}; true`], {
      scratch: scratch.path,
      signal: controller.signal,
    });
    expect(await waitForProcesses(word, 2)).toBe(2);
    controller.abort();
    await expect(tool).rejects.toThrow(/abort/);
    expect(await waitForProcesses(word, 0)).toBe(0);
    await scratch.dispose();
  });

  const tools = ['python3', 'bwrap', 'zstd', 'flock', 'mkfifo', 'sync', 'sh', 'cat', 'rm'];

  it.each([
    ['bwrap', 'bubblewrap'],
    ['zstd', 'zstd'],
    ['python3', 'python3'],
  ])('without %s names the package to install', async (missing, name) => {
    const PATH = await rig.programs(...tools.filter((tool) => tool !== missing));
    const environment = { PATH, STRATA_STORE: `${rig.folder}/without-${missing}` };
    const { error } = await rig.outcome('true', false, { environment });
    expect(error).toEqual([`error: ${missing} is missing on this machine`, `hint: install the Debian package ${name}`]);
  });

  it('says which ids a user lacks, and how to give them', async () => {
    const of = asRoot ? { subordinateIds: 1000 } : { environment: { PATH: await rig.programs(...tools) } };
    const { error } = await rig.outcome('true', false, of);
    expect(error).toEqual(
      asRoot
        ? [
            'error: strata-test-user has 1000 subordinate ids in /etc/subuid, and 65535 are needed',
            'hint: give them: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 strata-test-user',
          ]
        : ['error: newuidmap is missing on this machine', 'hint: install the Debian package uidmap'],
    );
  });

  it('says which setting of the kernel forbids user namespaces', async () => {
    const { error } = await rig.outcome('true', false, { forbidsNamespaces: true });
    expect(error).toEqual([
      'error: the kernel forbids user namespaces (user.max_user_namespaces=0)',
      'hint: allow them: sudo sysctl -w user.max_user_namespaces=10000',
    ]);
  });
});
