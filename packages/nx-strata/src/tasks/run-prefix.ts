import { basename } from 'node:path/posix';
import { boards, type PrefixDefinition } from '@strata/definitions';

/** What of this machine holds its C library, as Debian, Fedora, Arch and Gentoo lay it out. */
const hostLibraries = [
  ...['--ro-bind', '/usr/lib', '/usr/lib', '--ro-bind-try', '/usr/lib64', '/usr/lib64'],
  ...['--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
];

function quoted(word: string): string {
  return /[^\w@%+=:,./-]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word;
}

/** The command that the prefix's own test runs first, else a program of it without words. */
function example({ test }: PrefixDefinition, programs: readonly string[]): string[] | undefined {
  const [first, ...words] = test?.[0]?.run ?? [];
  const tested = programs.find((program) => program === first || basename(program) === first);
  const program = tested ?? programs[0];
  return program === undefined ? undefined : [program, ...(tested === undefined ? [] : words)];
}

/**
 * The command line that runs a program of an exported prefix in a root that has nothing else but /proc and /dev, and with
 * `libc: host` the libraries of this machine. Undefined where the prefix has no program.
 *
 * @param tree folder of the export
 * @param programs their paths when they run
 */
export function runCommand(
  tree: string,
  definition: PrefixDefinition,
  programs: readonly string[],
): string | undefined {
  const { path, board, libc } = definition;
  const found = example(definition, programs);
  if (found === undefined) {
    return undefined;
  }
  const [program = '', ...words] = found;
  if (boards[board].arch === 'arm64' && process.arch !== 'arm64') {
    return ['qemu-aarch64', '-L', tree, `${tree}${program}`, ...words].map(quoted).join(' ');
  }
  return [
    ...['bwrap', '--unshare-all', '--die-with-parent'],
    ...(libc === 'host' ? hostLibraries : []),
    ...['--ro-bind', `${tree}${path}`, path],
    ...['--proc', '/proc', '--dev', '/dev', '--chdir', '/'],
    ...[program, ...words],
  ]
    .map(quoted)
    .join(' ');
}
