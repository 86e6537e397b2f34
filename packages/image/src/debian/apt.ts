import { mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { execa } from 'execa';
import { toolWords } from '../tool-error.js';

/** Where packages come from. */
export interface Source {
  readonly suite: string;
  readonly mirror?: string | undefined;
  readonly components?: readonly string[] | undefined;
}

/**
 * An apt of our own: it honours the machine's proxies, credentials and certificates (`/etc/apt/apt.conf.d`,
 * `auth.conf.d`), and has sources, state and cache of its own, so that nothing of the machine is changed.
 */
export interface Apt {
  readonly mirror: string;
  /**
   * Runs one of apt's commands and gives back what it printed. Throws a {@link UserError}, with apt's own words in its
   * details, where it fails.
   */
  run(argv: readonly string[], signal?: AbortSignal): Promise<string>;
  /** The environment in which apt's commands are ours. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * What the machine's own files may not decide: they are read after the file that `APT_CONFIG` names (apt.conf(5)), so
 * this is read once more after them. Its hooks are for its own state, not for ours.
 */
const own = [
  '#clear APT::Architectures;',
  '#clear APT::Update::Pre-Invoke;',
  '#clear APT::Update::Post-Invoke;',
  '#clear APT::Update::Post-Invoke-Success;',
  'APT::Architecture "amd64";',
  'APT::Architectures { "amd64"; };',
  'APT::Install-Recommends "false";',
  'APT::Install-Suggests "false";',
  'APT::Default-Release "";',
  'APT::Sandbox::User "root";',
  // a machine may keep none, and then each command makes them anew
  'Dir::Cache::pkgcache "pkgcache.bin";',
  'Dir::Cache::srcpkgcache "srcpkgcache.bin";',
  // without it, apt passes over what it could not download
  'APT::Update::Error-Mode "any";',
  'Acquire::Languages "none";',
  'Acquire::Retries "3";',
  'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
];

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The mirror that the machine itself installs Debian from. Throws a {@link UserError} where there is none. */
export async function machineMirror(): Promise<string> {
  const hint = 'name a mirror in the definition: `mirror:` beside `suite:`';
  let listed: string;
  try {
    const format = '$(REPO_URI)|$(RELEASE)|$(LABEL)';
    ({ stdout: listed } = await execa('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']));
  } catch (cause) {
    throw new UserError('apt is missing on this machine, or its configuration is broken', { hint, cause });
  }
  const candidates = listed.split('\n').flatMap((row) => {
    const [uri = '', release = '', label = ''] = row.split('|');
    const isBase = /^[a-z]+$/.test(release) && (label === 'Debian' || /\/debian\/?$/.test(uri));
    return isBase ? [uri] : [];
  });
  const [mirror] = candidates;
  if (mirror === undefined) {
    throw new UserError("the machine's apt knows no mirror of Debian", { hint });
  }
  return mirror.replace(/\/$/, '');
}

/** Sets up an apt of our own in an empty folder. */
export async function privateApt(
  folder: AbsolutePath,
  source: Source,
  options: { readonly sources?: boolean } = {},
): Promise<Apt> {
  const mirror = (source.mirror ?? (await machineMirror())).replace(/\/$/, '');
  const at = (name: string): AbsolutePath => absolutePath(join(folder, name));
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'parts']) {
    await mkdir(at(name), { recursive: true });
  }
  const signedBy = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const components = (source.components ?? ['main']).join(' ');
  const kind = options.sources === true ? 'deb-src' : 'deb';
  await writeFile(at('sources.list'), `${kind} ${signedBy}${mirror} ${source.suite} ${components}\n`);
  await writeFile(at('status'), '');
  await writeFile(
    at('apt.conf'),
    [
      `Dir::State "${at('state')}";`,
      `Dir::State::status "${at('status')}";`,
      `Dir::Cache "${at('cache')}";`,
      `Dir::Etc::sourcelist "${at('sources.list')}";`,
      `Dir::Etc::sourceparts "${at('parts')}";`,
      ...own,
      '',
    ].join('\n'),
  );
  const environment = { APT_CONFIG: at('apt.conf'), LC_ALL: 'C.UTF-8' };
  return {
    mirror,
    environment,
    run: async ([command = '', ...words], signal) => {
      try {
        const { stdout } = await execa(command, ['--config-file', at('apt.conf'), ...words], {
          env: environment,
          maxBuffer: 1 << 30,
          ...(signal === undefined ? {} : { cancelSignal: signal }),
        });
        return stdout;
      } catch (error) {
        const said = toolWords(error);
        if (said !== undefined) {
          throw new UserError(`${command} ${words[0] ?? ''} failed for ${source.suite} of ${mirror}`, {
            details: said.filter((line) => line.startsWith('E:')).slice(-5),
            hint: 'see whether the machine’s own `apt-get update` works, and whether the mirror has the suite',
            cause: error,
          });
        }
        throw error;
      }
    },
  };
}
