import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { openStore } from '@strata/store';
import { Model, pluginOptionsSchema } from './model.js';
import { produce } from './produce.js';
import { definitionReader } from './records/describe.js';
import { Records } from './records/records.js';
import { Reporter } from './reporter.js';
import { WorkingServices } from './services.js';
import { Tasks } from './tasks.js';

describe('the tasks of one run', () => {
  let base: AbsolutePath;

  beforeEach(() => {
    base = absolutePath(mkdtempSync('/var/tmp/strata-tasks-'));
  });

  afterEach(() => {
    rmSync(base, { recursive: true });
  });

  async function newTasks(): Promise<Tasks> {
    const store = await openStore({
      root: absolutePath(join(base, 'store')),
      remove: (folder) => rm(folder, { recursive: true, force: true }),
    });
    const reporter = new Reporter({ write: () => undefined, environment: {}, isTerminal: false });
    const { signal } = new AbortController();
    const records = await Records.open(store, base, definitionReader(base, []));
    const services = new WorkingServices({ workspaceRoot: base, store, reporter, records, signal });
    const environment = { workspaceRoot: base, store, services, reporter, signal, projects: new Map() };
    return new Tasks(new Model([], pluginOptionsSchema.parse({})), environment, produce);
  }

  it('read a tree once, however many of them take it in; the next run reads it anew', async () => {
    const folder = absolutePath(join(base, 'tree'));
    mkdirSync(folder);
    for (let file = 0; file < 100; file++) {
      writeFileSync(join(folder, `file-${file}`), 'x');
    }
    const tasks = await newTasks();
    const options = { gitIgnored: 'include' } as const;
    const [first, second] = await Promise.all([tasks.tree(folder, options), tasks.tree(folder, options)]);
    writeFileSync(join(folder, 'file-1'), 'y');
    const third = await tasks.tree(folder, options);
    expect([second, third].every((tree) => tree === first)).toBe(true);
    const part = await tasks.tree(folder, { ...options, exclude: ['file-1'] });
    expect(part.manifest.entries).toHaveLength(99);
    const next = await (await newTasks()).tree(folder, options);
    expect(next.manifest.digest).not.toBe(first.manifest.digest);
    expect(readdirSync(join(base, 'store/index'))).toHaveLength(1);
  });
});
