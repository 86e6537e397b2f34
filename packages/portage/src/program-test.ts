import { packScript, scriptInput, type Action, type LayerStack } from '@strata/sandbox';
import { guestScript } from './plan.js';
import type { PrefixSettings } from './prefix.js';

/** A command that is run in a root with nothing but a prefix. */
export interface ProgramStep {
  readonly run: readonly string[];
  readonly input?: string | undefined;
  /** What it has to print, trimmed. */
  readonly output?: string | undefined;
  readonly status: number;
}

/** What the programs of a prefix are tested with. */
export interface ProgramTestParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  /** The layers of the prefix. */
  readonly layers: LayerStack;
  readonly prefix: PrefixSettings;
  readonly steps: readonly ProgramStep[];
}

const scripts = [
  ...['run_programs.py', 'empty_root.py', 'elf.py', 'self_contained.py'],
  ...['portage_setup.py', 'prefix.py', 'tool_shims.py'],
];

/**
 * The action that runs programs of a prefix in a root that has nothing else, by qemu-user where they are for another
 * machine. Outputs `test.txt`: what they printed.
 */
export function programTestAction({ label, toolchain, layers, prefix, steps }: ProgramTestParameters): Action {
  return {
    label,
    toolchain,
    rootfs: { lower: layers },
    inputs: [
      scriptInput('pack.py', packScript),
      ...scripts.map((name) => scriptInput(name, guestScript(name))),
      { kind: 'text', name: 'spec.json', text: JSON.stringify({ prefix, steps }) },
    ],
    argv: ['python3', '-B', '/strata/in/bin/run_programs.py'],
    outputs: { 'test.txt': 'text/plain' },
  };
}
