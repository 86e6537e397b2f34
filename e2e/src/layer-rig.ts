import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { absolutePath, scanTree, type AbsolutePath } from '@strata/fingerprint';
import { composeAction, type ComposedTree, type ComposeParameters } from '@strata/image';
import {
  layerMediaType,
  openUserStore,
  packScript,
  runAction,
  scriptInput,
  type Action,
  type ActionOutcome,
  type LayerDescriptor,
  type LayerStack,
} from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { toolchain } from './rig.js';

/** Files by their paths: text, `-> target` for a symlink, `#!` for a program. */
export type Files = Readonly<Record<string, string>>;

/** An output that has to be there. */
export function outputOf({ result }: ActionOutcome, name: string): Descriptor {
  const found = result.outputs[name];
  if (found === undefined) {
    throw new Error(`there is no output ${name}`);
  }
  return found;
}

/** Makes layers in the example's own toolchain, and looks into them. */
export class LayerRig {
  readonly toolchain = toolchain('vm-toolchain');
  readonly #folder: AbsolutePath;

  private constructor(readonly store: Store) {
    this.#folder = absolutePath(mkdtempSync('/var/tmp/strata-layers-'));
  }

  static async make(): Promise<LayerRig> {
    return new LayerRig(await openUserStore());
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A folder with files. */
  folder(files: Files): AbsolutePath {
    const folder = absolutePath(mkdtempSync(join(this.#folder, 'tree-')));
    for (const [path, content] of Object.entries(files)) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      if (content.startsWith('-> ')) {
        symlinkSync(content.slice(3), file);
      } else {
        writeFileSync(file, content);
        chmodSync(file, content.startsWith('#!') ? 0o755 : 0o644);
      }
    }
    return folder;
  }

  /** A tree of files for a layer. */
  async tree(files: Files, more: Partial<ComposedTree> = {}): Promise<ComposedTree> {
    return { tree: await scanTree(this.folder(files), { gitIgnored: 'include' }), target: '/', ...more };
  }

  /** A layer of trees, scripts, devices. */
  async compose(parents: LayerStack, parts: Partial<ComposeParameters>, force = false): Promise<LayerDescriptor> {
    const nothing = { trees: [], scripts: [], devices: [], exclude: [] };
    const action = composeAction({ label: 'test:layer', toolchain: this.toolchain, parents, ...nothing, ...parts });
    return outputOf(await runAction(this.store, action, { force }), 'layer.tar.zst') as LayerDescriptor;
  }

  /** The layer of what a script changes in a root file system. */
  async changed(lower: LayerStack, script: string): Promise<LayerDescriptor> {
    const action = this.shell(
      `cd /strata/root\n${script}\npython3 /strata/in/bin/pack.py delta --upper /strata/upper`,
      {
        rootfs: { lower },
        inputs: [scriptInput('pack.py', packScript)],
        outputs: { 'layer.tar.zst': layerMediaType },
      },
    );
    return outputOf(await runAction(this.store, action), 'layer.tar.zst') as LayerDescriptor;
  }

  /** A shell script as an action. */
  shell(script: string, more: Partial<Action> = {}): Action {
    return {
      label: 'test:look',
      toolchain: this.toolchain,
      inputs: [],
      argv: ['sh', '-euc', script],
      outputs: {},
      ...more,
    };
  }

  /** What a script prints that runs in the merged layers' folder. */
  look(layers: LayerStack, script: string): Promise<string[]> {
    return this.lines(this.shell(`cd /strata/root; ${script}`, { rootfs: { lower: layers } }));
  }

  /** What an action prints. */
  async lines(action: Action): Promise<string[]> {
    const printed: string[] = [];
    await runAction(this.store, action, {
      force: true,
      onEvent: (event) => event.type === 'line' && printed.push(event.line),
    });
    return printed;
  }
}

/** A Python program as a line of a shell script. */
export function python(program: string): string {
  return `python3 - <<'END'\n${program}\nEND\n`;
}
