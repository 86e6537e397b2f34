import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { seconds, UserError, type ImageDefinition, type SysextDefinition } from '@strata/definitions';
import { absolutePath } from '@strata/fingerprint';
import {
  checksums,
  composeAction,
  exportFiles,
  signatureAction,
  sysextAction,
  sysextFiles,
  transferFiles,
  versionedName,
} from '@strata/image';
import { ActionFailed, diffIdOf, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { extensionTestAction } from '@strata/vm';
import { testOn } from '../model.js';
import { secretPath } from '../task-inputs.js';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';
import { machineFiles, mergedStack, runTest } from './image.js';

function definitionOf(task: Task): SysextDefinition {
  return task.placed.definition as SysextDefinition;
}

function nameOf(task: Task): string {
  return definitionOf(task).extension ?? task.placed.name.replace(/^@[^/]*\//, '');
}

/** What an extension is made from, as layers: a folder has git's modes there, and belongs to root. */
async function contentOf(task: Task, toolchain: LayerStack): Promise<LayerStack> {
  const { from } = definitionOf(task);
  const below =
    'layers' in from ? await mergedStack(task, from.layers) : 'prefix' in from ? await task.stack(from.prefix) : [];
  if (from.tree === undefined) {
    return below;
  }
  const tree = await task.sourceTree(from.tree);
  const outputs = await task.action(
    composeAction({
      label: `${task.placed.name}:tree`,
      toolchain,
      parents: below,
      trees: [{ tree, target: '/' }],
      scripts: [],
      devices: [],
      exclude: [],
    }),
  );
  return [...below, asLayer(pick(outputs, 'layer.tar.zst'))];
}

/** What systemd compares with os-release(5) of the OS. */
function releaseOf({
  type,
  id,
  versionId,
  sysextLevel,
  architecture,
  services,
}: SysextDefinition): Record<string, string> {
  return {
    ID: id,
    ...(versionId === undefined ? {} : { VERSION_ID: versionId }),
    ...(sysextLevel === undefined ? {} : { [type === 'sysext' ? 'SYSEXT_LEVEL' : 'CONFEXT_LEVEL']: sysextLevel }),
    ...(architecture === '_any' ? {} : { ARCHITECTURE: architecture }),
    // systemd 255 and newer read the units of the extension by themselves then
    ...((services?.length ?? 0) > 0 ? { EXTENSION_RELOAD_MANAGER: '1' } : {}),
  };
}

async function sign(task: Task, toolchain: LayerStack, rootHash: Descriptor): Promise<Record<string, Descriptor>> {
  const { verity } = definitionOf(task);
  if (typeof verity !== 'object') {
    return {};
  }
  const { placed } = task;
  try {
    return await task.action(
      signatureAction({
        label: `${placed.name}:signature`,
        toolchain,
        rootHash,
        key: task.secret(secretPath(placed.root, verity.key)),
        certificate: task.file(join(placed.root, verity.certificate)),
        output: sysextFiles(nameOf(task)).signature,
      }),
    );
  } catch (error) {
    if (error instanceof ActionFailed && error.report !== undefined) {
      const { message, hint = `see ${error.log}`, details = [] } = error.report;
      throw new UserError(message, { place: placed.place(['verity']), hint, details, cause: error });
    }
    throw error;
  }
}

/** Packs an extension; with dm-verity, its hash tree, root hash and signature. */
export async function buildSysext(task: Task): Promise<TaskOutput> {
  const definition = definitionOf(task);
  const { base, type, architecture, exclude = [], format, compression, services = [], verity } = definition;
  const toolchain = await task.toolchain();
  const below = base === undefined ? [] : await task.stack(base);
  const known = new Set(below.map(diffIdOf));
  const layers = await contentOf(task, toolchain);
  const made = await task.action(
    sysextAction({
      label: task.label,
      toolchain,
      layers: layers.filter((layer) => !known.has(diffIdOf(layer))),
      base: below,
      name: nameOf(task),
      type,
      release: releaseOf(definition),
      services,
      architecture,
      exclude,
      format,
      compression,
      verity: verity !== undefined,
    }),
  );
  const signature =
    typeof verity === 'object' ? await sign(task, toolchain, pick(made, sysextFiles(nameOf(task)).rootHash)) : {};
  return { outputs: { ...made, ...signature } };
}

/** Tries an extension on one image: merges it, goes through the steps of its test, unmerges it. */
export async function testSysextOn(task: Task): Promise<TaskOutput> {
  const { model, placed } = task;
  const { type, test, services = [], verity } = definitionOf(task);
  const on = test?.on.find((name) => testOn(name) === task.target);
  if (test === undefined || on === undefined) {
    throw new Error(`${placed.name} is not tried by ${task.target}`);
  }
  const image = model.get(on, 'image');
  const steps = (image.definition as ImageDefinition).test?.steps ?? [];
  const firstCommand = steps.findIndex((step) => 'run' in step);
  return runTest(task, extensionTestAction, {
    label: task.label,
    toolchain: await task.stack(model.vmToolchain(image)),
    system: on,
    files: await machineFiles(task, image),
    timeoutSeconds: seconds(test.timeout),
    // how one logs in, the image's own test shows
    logIn: firstCommand < 0 ? steps : steps.slice(0, firstCommand),
    steps: test.steps,
    extension: {
      name: nameOf(task),
      type,
      files: (await task.output(placed.name, 'build')).outputs,
      certificate: typeof verity === 'object' ? task.file(join(placed.root, verity.certificate)) : undefined,
      services,
    },
  });
}

/** Tries an extension on each of its images, by a task for each. */
export async function testSysext(task: Task): Promise<TaskOutput> {
  const results: Record<string, Descriptor> = {};
  for (const name of definitionOf(task).test?.on ?? []) {
    results[name] = pick((await task.output(task.placed.name, testOn(name))).outputs, 'result.json');
  }
  return { outputs: results };
}

/** Copies an extension's files into `dist/`, with what an update server and the machines that ask it need. */
export async function exportSysext(task: Task): Promise<TaskOutput> {
  const { type, version, architecture, publish } = definitionOf(task);
  const { environment, placed } = task;
  const { outputs: files } = await task.output(placed.name, 'build');
  const name = nameOf(task);
  const folder = `dist/${placed.root}`;
  const at = (path: string): string => join(environment.workspaceRoot, folder, path);
  const say = (line: string): void => {
    environment.reporter.line(line);
  };
  const definitions = `sysupdate.${name}.d`;
  // what an earlier definition left would be taken for this one's, by systemd too: a root hash beside the file
  const left = Object.values(sysextFiles(name)).filter((file) => !(file in files));
  for (const path of [...left, 'update', definitions]) {
    await rm(at(path), { recursive: true, force: true });
  }
  await exportFiles(task.store, absolutePath(at('')), files);
  say(`exported to ${folder}: ${Object.keys(files).join(', ')}`);
  if (version === undefined) {
    say('for an update server, give the definition a `version:`');
    return { outputs: files };
  }
  const published = Object.fromEntries(
    Object.entries(files).map(([file, artifact]) => [versionedName(file, name, version, architecture), artifact]),
  );
  await exportFiles(task.store, absolutePath(at('update')), published);
  await writeFile(at('update/SHA256SUMS'), checksums(published));
  say(`for an update server, in ${folder}/update: ${[...Object.keys(published), 'SHA256SUMS'].join(', ')}`);
  if (publish === undefined) {
    say('for transfer files of systemd-sysupdate, say in the definition where that is: `publish: { url }`');
    return { outputs: files };
  }
  const transfers = transferFiles({ name, type, architecture, ...publish }, Object.keys(files));
  await mkdir(at(definitions));
  for (const [file, text] of Object.entries(transfers)) {
    await writeFile(at(join(definitions, file)), text);
  }
  const linked = `/var/lib/${type === 'sysext' ? 'extensions' : 'confexts'}`;
  say(`for the machines, as /etc/${definitions}: ${folder}/${definitions}; ${linked} has to be there, too`);
  if (publish.verify) {
    say('they ask for a signature of SHA256SUMS: gpg --detach-sign --output SHA256SUMS.gpg SHA256SUMS');
  }
  return { outputs: files };
}
