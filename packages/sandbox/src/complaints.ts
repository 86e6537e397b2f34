import { stripVTControlCharacters } from 'node:util';

/**
 * Reads what programs print where they did not find something: a path, a host. Each has its own words. These are the ones of
 * C libraries, shells, coreutils, tar, compilers, linkers, make, CMake, git, patch, curl, Wget, OpenSSH, Perl, Python, Node.js,
 * Go and Rust, as they were collected by running them (see the tests).
 */

/** The path stands before these words, behind them, or in quotes. */
const missing =
  /no such file|no rule to make target|(?:can|could)not (?:open|read|cd to|stat|access|locate|find)|does ?not exist|: (?:command )?not found/i;

/** What stands behind these words is the path, up to the next colon. */
const beforePath =
  /(?:no such file or directory(?:, \w+|:)|no rule to make target|(?:can|could)not (?:open|read|cd to|stat|access|locate|find)(?: (?:perl script|patch file|file))?:?)\s+(.+)$/i;

const quoted = /'([^']+)'|"([^"]+)"|‘([^’]+)’|`([^`']+)[`']/g;

const hosts = [
  /couldnot resolve (?:host(?:name)?|proxy):? ['"]?([^\s'",;]+)/i,
  /unable to resolve host address [‘'"]([^’'"]+)/i,
  /(?:unable to look up|failed to connect to|connect to host|temporary failure resolving) ['"]?([^\s'",;]+)/i,
  /^connecting to ([^\s|]+?)(?::\d+)?\.\.\. failed/i,
  /getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ([^\s:]+)/,
  /\bdial (?:tcp|udp): lookup ([^\s:]+)/,
];

/** In characters: no complaint is longer, and output that is one endless line costs nothing. */
const longestComplaint = 4096;

/** A line without colours, and with one way to write what cannot be done, in which nothing looks like a quote. */
function plain(line: string): string {
  return stripVTControlCharacters(line).replace(/\b(ca|could|does)n?(?:n['’]t| not)\b/gi, (_, verb: string) =>
    verb.toLowerCase() === 'ca' ? 'cannot' : `${verb}not`,
  );
}

function lastWord(text: string): string {
  return text.split(/\s+/).at(-1) ?? '';
}

/**
 * What in a line may be the path that a program did not find, best first. Most of it is none: who asks knows which paths
 * are of interest.
 */
export function missingPaths(line: string): string[] {
  if (line.length > longestComplaint) {
    return [];
  }
  const text = plain(line);
  const found = missing.exec(text);
  if (found === null) {
    return [];
  }
  const inQuotes = [...text.matchAll(quoted)].map(
    ([, ...groups]: readonly (string | undefined)[]) => groups.find((group) => group !== undefined) ?? '',
  );
  const behind = beforePath.exec(text)?.[1]?.replace(/(?::\s| at | \(|;).*$/, '') ?? '';
  // the name of the program, a line number and what it was at come first; tar puts its verb behind the path
  const segments = text.slice(0, found.index).split(/:(?:\s+|$)/);
  const before = segments.slice(-3).reverse();
  return [...inQuotes, behind, ...before.flatMap((segment) => [segment, lastWord(segment.trim())])]
    .map((candidate) => candidate.trim())
    .filter((candidate, index, all) => candidate !== '' && all.indexOf(candidate) === index);
}

/** The hosts that a line says were not found or could not be connected to. */
export function missingHosts(line: string): string[] {
  if (line.length > longestComplaint) {
    return [];
  }
  const text = plain(line);
  return hosts.flatMap(
    (pattern) =>
      pattern
        .exec(text)?.[1]
        ?.replace(/[.:]+$/, '')
        .toLowerCase() ?? [],
  );
}
