import { join } from 'node:path';
import { seconds, UserError, type ImageDefinition, type PlacedDefinition } from '@strata/definitions';
import { absolutePath } from '@strata/fingerprint';
import { exportFiles, formatSizeReport, parseKernelDescription, parseSizeReport, squashfsAction } from '@strata/image';
import { diffIdOf, type Action, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import {
  bootInteractive,
  bootTestAction,
  emulation,
  probeAcceleration,
  qemuCommandLine,
  type Acceleration,
  type BootFiles,
} from '@strata/vm';
import { readTaskOutput, type TaskOutput } from '../task-output.js';
import { outputFile } from '../targets.js';
import { pick, type Task } from '../tasks.js';

function definitionOf(task: Task): ImageDefinition {
  return task.placed.definition as ImageDefinition;
}

/** The layers of several projects as one stack, each once. */
export async function mergedStack(task: Task, projects: readonly string[]): Promise<LayerDescriptor[]> {
  const stack: LayerDescriptor[] = [];
  for (const name of projects) {
    for (const layer of await task.stack(name)) {
      if (!stack.some((other) => diffIdOf(other) === diffIdOf(layer))) {
        stack.push(layer);
      }
    }
  }
  return stack;
}

/** Packs the merged layers of an image, and reports sizes. */
export async function buildImage(task: Task): Promise<TaskOutput> {
  const { layers, exclude = [], compression } = definitionOf(task);
  const stack = await mergedStack(task, layers);
  const before = await reportOf(
    task,
    readTaskOutput(join(task.environment.workspaceRoot, outputFile(task.placed.root, 'build'))),
  );
  const outputs = await task.action(
    squashfsAction({ label: task.label, toolchain: await task.toolchain(), layers: stack, exclude, compression }),
  );
  const text = await task.services.text(pick(outputs, 'report.json'));
  if (text !== undefined) {
    formatSizeReport(parseSizeReport(text), before).forEach((line) => {
      task.environment.reporter.line(line);
    });
  }
  return { outputs };
}

async function reportOf(
  task: Task,
  output: TaskOutput | undefined,
): Promise<ReturnType<typeof parseSizeReport> | undefined> {
  const descriptor = output?.outputs['report.json'];
  try {
    return descriptor === undefined ? undefined : parseSizeReport(await task.store.readText(descriptor));
  } catch {
    // the report before is for comparison only
    return undefined;
  }
}

/** What a task boots an image with: its own project's, where it names no other. */
export async function machineFiles(task: Task, image: PlacedDefinition = task.placed): Promise<BootFiles> {
  const { compression, kernel, initramfs, kernelCommandLine, vm } = image.definition as ImageDefinition;
  if (kernel === undefined || initramfs === undefined) {
    throw new Error(`${image.name} has no kernel or no initramfs`);
  }
  const made = (await task.output(kernel, 'build')).outputs;
  const description = await task.services.text(pick(made, 'kernel.json'));
  const squashfs = description === undefined ? undefined : parseKernelDescription(description).squashfs;
  if (squashfs?.includes(compression.algorithm) === false) {
    throw new UserError(`${kernel} cannot read a squashfs compressed with ${compression.algorithm}`, {
      place: image.place(['compression']),
      hint: `choose one of ${squashfs.join(', ')}, or add it to the kernel's config (CONFIG_SQUASHFS_…)`,
    });
  }
  return {
    kernel: pick(made, 'vmlinuz'),
    initramfs: pick((await task.output(initramfs, 'build')).outputs, 'initramfs'),
    disk: pick((await task.output(image.name, 'build')).outputs, 'root.squashfs'),
    commandLine: kernelCommandLine,
    memory: vm.memory,
    cpus: vm.cpus,
  };
}

async function acceleration(task: Task, toolchain: LayerStack, { kernel }: BootFiles): Promise<Acceleration> {
  const found = await probeAcceleration(task.store, toolchain, kernel, task.environment.signal);
  if (found.notice !== undefined) {
    task.environment.reporter.line(found.notice);
  }
  return found;
}

/**
 * Runs a test in a machine, or takes its result from the store. What accelerates the machine is not in the key: a known
 * result needs no probe for it.
 */
export async function runTest<P extends { readonly toolchain: LayerStack; readonly files: BootFiles }>(
  task: Task,
  action: (parameters: P & { readonly acceleration: Acceleration }) => Action,
  parameters: P,
): Promise<TaskOutput> {
  const { toolchain, files } = parameters;
  const known = await task.services.known(action({ ...parameters, acceleration: emulation }), task.client);
  return {
    outputs:
      known ?? (await task.action(action({ ...parameters, acceleration: await acceleration(task, toolchain, files) }))),
  };
}

/** Boots an image and goes through its test. */
export async function testImage(task: Task): Promise<TaskOutput> {
  const { test } = definitionOf(task);
  if (test === undefined) {
    throw new Error(`${task.placed.name} has no test`);
  }
  return runTest(task, bootTestAction, {
    label: task.label,
    toolchain: await task.stack(task.model.vmToolchain(task.placed)),
    files: await machineFiles(task),
    timeoutSeconds: seconds(test.timeout),
    steps: test.steps,
  });
}

/** Boots an image with its console on the terminal. */
export async function bootImage(task: Task): Promise<TaskOutput> {
  const files = await machineFiles(task);
  task.environment.reporter.line('Ctrl-a x ends the machine.');
  const toolchain = await task.stack(task.model.vmToolchain(task.placed));
  const found = await acceleration(task, toolchain, files);
  await bootInteractive(task.store, toolchain, files, found, task.environment.signal);
  return { outputs: {} };
}

/** Copies an image's files into `dist/`, and says how to boot them without Strata. */
export async function exportImage(task: Task): Promise<TaskOutput> {
  const { kernel, initramfs, kernelCommandLine, vm } = definitionOf(task);
  const built = (await task.output(task.placed.name, 'build')).outputs;
  const files: Record<string, Descriptor> = { 'root.squashfs': pick(built, 'root.squashfs') };
  if (kernel !== undefined) {
    files['vmlinuz'] = pick((await task.output(kernel, 'build')).outputs, 'vmlinuz');
  }
  if (initramfs !== undefined) {
    files['initramfs'] = pick((await task.output(initramfs, 'build')).outputs, 'initramfs');
  }
  const folder = `dist/${task.placed.root}`;
  await exportFiles(task.store, absolutePath(join(task.environment.workspaceRoot, folder)), files);
  const { reporter } = task.environment;
  reporter.line(`exported to ${folder}: ${Object.keys(files).join(', ')}`);
  if (kernel !== undefined && initramfs !== undefined) {
    const command = qemuCommandLine({
      kernel: `${folder}/vmlinuz`,
      initramfs: `${folder}/initramfs`,
      disk: `${folder}/root.squashfs`,
      commandLine: kernelCommandLine,
      memory: vm.memory,
      cpus: vm.cpus,
      accelerator: emulation.accelerator,
      interactive: true,
    });
    reporter.line('boots with (Ctrl-a x ends it):');
    reporter.line(command.map((word) => (/[^\w@%+=:,./-]/.test(word) ? `'${word}'` : word)).join(' '));
  }
  return { outputs: files };
}
