import type { AbsolutePath, ScannedTree } from '@strata/fingerprint';
import { layerMediaType, type Action, type Input, type LayerStack } from '@strata/sandbox';
import { devicesOf, type Device } from './devices.js';
import { guestScripts, specInput } from './guest-scripts.js';

/** Who owns what matches in a tree, folders included, and its mode in octal digits. What a rule does not name stays. */
export interface TreeRule {
  /** Glob, relative to the tree. */
  readonly match: string;
  readonly user?: string | number | undefined;
  readonly group?: string | number | undefined;
  readonly mode?: string | undefined;
}

/** A tree that a layer takes in. Without rules it has git's modes and belongs to 0:0. */
export interface ComposedTree extends Omit<TreeRule, 'match'> {
  readonly tree: ScannedTree;
  /** Absolute path in the layer. */
  readonly target: string;
  readonly directoryMode?: string | undefined;
  readonly rules?: readonly TreeRule[] | undefined;
}

/** A script that changes the layer in the end. */
export interface ComposedScript {
  readonly name: string;
  readonly path: AbsolutePath;
  /** Whether it runs inside of the layer, or in the toolchain with ROOT set. */
  readonly chroot: boolean;
}

/** What a layer is made of besides its packages. */
export interface ComposeParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  /** Everything below, the layer's own packages included. */
  readonly parents: LayerStack;
  readonly trees: readonly ComposedTree[];
  readonly scripts: readonly ComposedScript[];
  readonly devices: readonly Device[];
  /** Absolute globs of what the layer does not keep. */
  readonly exclude: readonly string[];
}

/** The action that adds trees and scripts to a layer; its output `layer.tar.zst` is what they changed. */
export function composeAction(parameters: ComposeParameters): Action {
  const { label, toolchain, parents, trees, scripts, devices, exclude } = parameters;
  const spec = {
    trees: trees.map(({ tree, ...rules }) => ({ ...rules, entries: tree.manifest.entries })),
    scripts: scripts.map(({ name, chroot }) => ({ name, chroot })),
    devices,
    parentDevices: devicesOf(parents),
    exclude,
  };
  return {
    label,
    toolchain,
    rootfs: { lower: parents },
    inputs: [
      ...guestScripts('compose.py', 'rootpath.py'),
      specInput(spec),
      ...trees.map(({ tree }, index): Input => ({ kind: 'tree', name: `trees/${index}`, tree })),
      ...scripts.map(({ name, path }, index): Input => ({ kind: 'file', name: `scripts/${index}/${name}`, path })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/compose.py'],
    secondLook: scripts.length > 0,
    outputs: { 'layer.tar.zst': layerMediaType },
  };
}
