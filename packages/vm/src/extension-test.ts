import type { AbsolutePath } from '@strata/fingerprint';
import type { Action, Input } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { bootTestAction, type BootTestParameters, type Step } from './boot-test.js';
import { guestScript } from './scripts.js';

/** What is tried. */
export interface TriedExtension {
  readonly name: string;
  readonly type: 'sysext' | 'confext';
  /** Its files, by their names: `NAME.raw`, and those of dm-verity. */
  readonly files: Readonly<Record<string, Descriptor>>;
  /** Whose signature the machine is to trust. */
  readonly certificate?: AbsolutePath | undefined;
  /** Units that have to run while it is merged. */
  readonly services: readonly string[];
}

/** What the test of an extension is made of. */
export interface ExtensionTestParameters extends Omit<BootTestParameters, 'parcel'> {
  /** Name of what boots, for messages. */
  readonly system: string;
  readonly extension: TriedExtension;
  /** What has to happen until there is a shell of root's on the console. */
  readonly logIn: readonly Step[];
}

const folder = '/run/strata-test';

/**
 * The action that boots an OS, merges an extension, goes through steps, unmerges it and sees that nothing is left. Where
 * the OS refuses the extension, its own words are shown.
 */
export function extensionTestAction(parameters: ExtensionTestParameters): Action {
  const { system, extension, logIn, steps, ...boot } = parameters;
  const { name, type, files, certificate, services } = extension;
  const script = (what: string): string =>
    ['sh', `${folder}/extension.sh`, what, type, name, ...services].map((word) => `'${word}'`).join(' ');
  const parcel: Input[] = [
    ...Object.entries(files).map(([file, artifact]): Input => ({ kind: 'artifact', name: file, artifact })),
    ...(certificate === undefined ? [] : [{ kind: 'file' as const, name: 'certificate', path: certificate }]),
    { ...guestScript('extension.sh'), name: 'extension.sh' },
  ];
  return bootTestAction({
    ...boot,
    parcel,
    steps: [
      ...logIn,
      {
        // on a terminal, systemd's tools would wait for somebody to turn the pages
        run: `export PAGER=cat SYSTEMD_PAGER=cat; mkdir ${folder} && tar -xf /dev/vdb -C ${folder}`,
        title: 'receive the extension',
      },
      {
        run: script('merge'),
        title: `merge ${name}`,
        refusal: {
          message: `${system} refuses the extension ${name}`,
          hint: 'see its words above, and `id:`, `versionId:`, `sysextLevel:`, `architecture:` of the extension',
        },
      },
      ...steps,
      {
        run: script('unmerge'),
        title: `unmerge ${name}`,
        refusal: { message: `${system} is not what it was before ${name}`, hint: 'see what is left, above' },
      },
    ],
  });
}
