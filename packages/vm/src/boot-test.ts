import { z } from 'zod';
import type { Action, Input, LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import type { Acceleration } from './acceleration.js';
import { qemuCommandLine } from './qemu.js';
import { guestScript } from './scripts.js';

/** One thing that a boot test does. */
export type Step =
  | { readonly expect: string }
  | {
      readonly run: string;
      readonly output?: string | undefined;
      readonly status?: number | undefined;
      /** What it is called in messages. Default: the command. */
      readonly title?: string;
      /** What another status means: said with what the command printed, instead of the console's last lines. */
      readonly refusal?: { readonly message: string; readonly hint: string };
    }
  | { readonly send: string };

/** What is booted. */
export interface BootFiles {
  readonly kernel: Descriptor;
  readonly initramfs: Descriptor;
  readonly disk: Descriptor;
  readonly commandLine: readonly string[];
  readonly memory: string;
  readonly cpus: number;
}

/** What a boot test is made of. */
export interface BootTestParameters {
  readonly label: string;
  /** Holds QEMU. */
  readonly toolchain: LayerStack;
  readonly files: BootFiles;
  readonly timeoutSeconds: number;
  readonly steps: readonly Step[];
  /** Files that the machine gets, by their names: a tar on its second disk, `/dev/vdb`. */
  readonly parcel?: readonly Input[];
  /** Does not reach the result, and so is not in the key. */
  readonly acceleration: Acceleration;
}

/** The files of a machine, as inputs of an action, and where QEMU finds them there. */
export function bootInputs({ kernel, initramfs, disk }: Pick<BootFiles, 'kernel' | 'initramfs' | 'disk'>): {
  readonly inputs: Input[];
  readonly paths: { readonly kernel: string; readonly initramfs: string; readonly disk: string };
} {
  const files = { kernel, initramfs, disk };
  return {
    inputs: Object.entries(files).map(([name, artifact]): Input => ({
      kind: 'artifact',
      name: `machine/${name}`,
      artifact,
    })),
    paths: {
      kernel: '/strata/in/machine/kernel',
      initramfs: '/strata/in/machine/initramfs',
      disk: '/strata/in/machine/disk',
    },
  };
}

const resultSchema = z.object({ steps: z.array(z.looseObject({ passed: z.boolean() })) });

/** What a boot test found out. */
export type BootTestResult = z.output<typeof resultSchema>;

/** Reads `result.json`. */
export function parseBootTestResult(text: string): BootTestResult {
  return resultSchema.parse(JSON.parse(text));
}

/** The action that boots a machine and goes through the steps of a test; it fails where a step does. */
export function bootTestAction(parameters: BootTestParameters): Action {
  const { label, toolchain, files, timeoutSeconds, steps, parcel, acceleration } = parameters;
  const { inputs, paths } = bootInputs(files);
  const tar = parcel === undefined ? undefined : '/strata/tmp/parcel.tar';
  const command = qemuCommandLine({ ...files, ...paths, parcel: tar, accelerator: '@accelerator@' });
  const spec = { command, timeout: timeoutSeconds, steps, ...(tar === undefined ? {} : { parcel: tar }) };
  return {
    label,
    toolchain,
    inputs: [
      guestScript('boot_test.py'),
      { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) },
      ...inputs,
      ...(parcel ?? []).map((input): Input => ({ ...input, name: `parcel/${input.name}` })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/boot_test.py'],
    hints: { STRATA_ACCELERATOR: acceleration.accelerator },
    devices: acceleration.devices,
    otherMachine: true,
    outputs: { 'result.json': 'application/json' },
  };
}
