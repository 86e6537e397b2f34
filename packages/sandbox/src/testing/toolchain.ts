import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { absolutePath } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { execa } from 'execa';
import { z } from 'zod';
import { inUserNamespace, layerMediaType, packScript, type LayerDescriptor, type LayerStack } from '../index.js';

const programs = [
  ...[
    'bash',
    'cat',
    'chmod',
    'chown',
    'cp',
    'echo',
    'env',
    'find',
    'grep',
    'head',
    'id',
    'ls',
    'ln',
    'mkdir',
    'mkfifo',
  ],
  ...[
    'mknod',
    'mv',
    'nproc',
    'pwd',
    'readlink',
    'rm',
    'rmdir',
    'sed',
    'sleep',
    'sort',
    'stat',
    'tail',
    'test',
    'touch',
  ],
  ...['truncate', 'uname', 'wc', 'yes', 'zstd'],
];

const unneeded =
  /\/(test|tests|idlelib|tkinter|ensurepip|lib2to3|pydoc_data|config-[^/]*|(site|dist)-packages|__pycache__)$/;

const pythonSchema = z.object({ program: z.string(), library: z.string() });

/** Copies programs of this machine, and the libraries that they and others need. */
async function copyPrograms(root: string, files: readonly string[], others: readonly string[] = []): Promise<void> {
  const { stdout } = await execa('ldd', [...files, ...others], { reject: false });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const path of new Set([...files, ...libraries])) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await cp(await realpath(path), join(root, path));
  }
}

async function copyPython(root: string): Promise<void> {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  const ask =
    'import json, os, sys, sysconfig; ' +
    'print(json.dumps({"program": os.path.realpath(sys.executable), "library": sysconfig.get_path("stdlib")}))';
  const { stdout } = await execa(python, ['-I', '-c', ask]);
  const { program, library } = pythonSchema.parse(JSON.parse(stdout));
  await cp(library, join(root, library), { recursive: true, filter: (path) => !unneeded.test(path) });
  const modules = join(library, 'lib-dynload');
  const extensions = (await readdir(modules)).map((name) => join(modules, name));
  await copyPrograms(root, [program], extensions);
  if (!existsSync(join(root, 'usr/bin/python3'))) {
    await symlink(program, join(root, 'usr/bin/python3'));
  }
}

/** Packs a folder as a layer, by `pack.py` on this machine. */
async function packFolder(store: Store, folder: string): Promise<LayerDescriptor> {
  const scratch = await store.scratch();
  try {
    await inUserNamespace(['python3', '-I', '-B', '-X', 'utf8', packScript, 'tree', '--root', folder], {
      scratch: scratch.path,
      environment: { STRATA_OUT: scratch.path, SOURCE_DATE_EPOCH: '1700000000' },
    });
    const file = absolutePath(join(scratch.path, 'layer.tar.zst'));
    const annotations = z
      .record(z.string(), z.string())
      .parse(JSON.parse(await readFile(`${file}.annotations.json`, 'utf8')));
    return { ...(await store.adopt(file, { mediaType: layerMediaType })), annotations };
  } finally {
    await scratch.dispose();
  }
}

/** A small root for tests of the sandbox, made of this machine's own shell, Python and a few tools: never for real builds. */
export async function makeTestToolchain(store: Store): Promise<LayerStack> {
  const scratch = await store.scratch();
  try {
    const root = join(scratch.path, 'root');
    for (const folder of ['etc', 'usr/bin', 'usr/lib', 'usr/lib64', 'usr/sbin', 'var']) {
      await mkdir(join(root, folder), { recursive: true });
    }
    for (const [link, target] of Object.entries({
      bin: 'usr/bin',
      lib: 'usr/lib',
      lib64: 'usr/lib64',
      sbin: 'usr/sbin',
    })) {
      await symlink(target, join(root, link));
    }
    await copyPrograms(
      root,
      programs.map((program) => `/usr/bin/${program}`),
    );
    await symlink('bash', join(root, 'usr/bin/sh'));
    await cp('/usr/lib/locale/C.utf8', join(root, 'usr/lib/locale/C.utf8'), { recursive: true });
    await copyPython(root);
    return [await packFolder(store, root)];
  } finally {
    await scratch.dispose();
  }
}
