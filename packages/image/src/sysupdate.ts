import { hexOf } from '@strata/fingerprint';
import type { Descriptor } from '@strata/store';

/** What machines that update an extension have to know. */
export interface Update {
  readonly name: string;
  readonly type: 'sysext' | 'confext';
  /** As systemd names it. */
  readonly architecture: string;
  /** Address of the folder that holds the files. */
  readonly url: string;
  /** Whether `SHA256SUMS` has a signature beside it. */
  readonly verify: boolean;
}

/** The name of an extension's file on an update server: `jq-1.7.1-x86-64.raw`. */
export function versionedName(file: string, name: string, version: string, architecture: string): string {
  return `${name}-${version}-${architecture}${file.slice(name.length)}`;
}

/** The text of `SHA256SUMS`, as sha256sum(1) writes it. */
export function checksums(files: Readonly<Record<string, Descriptor>>): string {
  return Object.entries(files)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { digest }]) => `${hexOf(digest)}  ${name}\n`)
    .join('');
}

/**
 * A transfer file for systemd-sysupdate (sysupdate.d(5)) for each of an extension's files, by its name: they belong into
 * `/etc/sysupdate.NAME.d`, and come and go together.
 */
export function transferFiles(update: Update, files: readonly string[]): Record<string, string> {
  const { name, type, architecture, url, verify } = update;
  const folder = type === 'sysext' ? 'extensions' : 'confexts';
  return Object.fromEntries(
    files.map((file, index) => {
      const suffix = file.slice(name.length + 1);
      const pattern = versionedName(file, name, '@v', architecture);
      const text = [
        '[Transfer]',
        `Verify=${verify ? 'yes' : 'no'}`,
        '',
        '[Source]',
        'Type=url-file',
        `Path=${url}`,
        `MatchPattern=${pattern}`,
        '',
        '[Target]',
        'Type=regular-file',
        `Path=/var/lib/${folder}.d/${name}`,
        `MatchPattern=${pattern}`,
        `CurrentSymlink=/var/lib/${folder}/${file}`,
        'Mode=0444',
        'InstancesMax=2',
        '',
      ].join('\n');
      return [`${index + 1}0-${name}-${suffix.replaceAll('.', '-')}.conf`, text];
    }),
  );
}
