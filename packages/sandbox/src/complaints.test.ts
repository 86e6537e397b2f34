import { missingHosts, missingPaths } from './complaints.js';

const path = '../other/file';

/** What programs print that look for a path, or for what they make of it, in vain. */
const complaints = [
  'cat: ../other/file: No such file or directory',
  "cp: cannot stat '../other/file': No such file or directory",
  "ls: cannot access '../other/file': No such file or directory",
  "sed: can't read ../other/file: No such file or directory",
  'tar: ../other/file: Cannot stat: No such file or directory',
  'tar: ../other/file: Cannot open: No such file or directory',
  'make: ../other/file: No such file or directory',
  "make: *** No rule to make target '../other/file'.  Stop.",
  "make: *** No rule to make target '../other/file', needed by 'x'.  Stop.",
  'Makefile:1: ../other/file: No such file or directory',
  'bash: line 1: ../other/file: No such file or directory',
  'bash: line 1: cd: ../other/file: No such file or directory',
  'dash: 1: cannot open ../other/file: No such file',
  'dash: 1: .: cannot open ../other/file: No such file',
  "dash: 1: cd: can't cd to ../other/file",
  'dash: 1: ../other/file: not found',
  'sh: 1: exec: ../other/file: not found',
  "/usr/bin/python3: can't open file '../other/file': [Errno 2] No such file or directory",
  "FileNotFoundError: [Errno 2] No such file or directory: '../other/file'",
  "Error: ENOENT: no such file or directory, open '../other/file'",
  'Can\'t open perl script "../other/file": No such file or directory',
  'no ../other/file: No such file or directory at -e line 1.',
  "Can't locate ../other/file at -e line 1.",
  'awk: cannot open ../other/file (No such file or directory)',
  "fatal: repository '../other/file' does not exist",
  "error: can't open patch '../other/file': No such file or directory",
  "patch: **** Can't open patch file ../other/file : No such file or directory",
  'cc1: fatal error: ../other/file: No such file or directory',
  'main.c:1:10: fatal error: ../other/file: No such file or directory',
  "ln: failed to access '../other/file': No such file or directory",
  "head: cannot open '../other/file' for reading: No such file or directory",
  'sort: cannot read: ../other/file: No such file or directory',
  'env: ‘../other/file’: No such file or directory',
  'CMake Error: The source directory "../other/file" does not exist.',
  "../other/file: cannot open `../other/file' (No such file or directory)",
  'ld: cannot find ../other/file: No such file or directory',
  "strip: '../other/file': No such file",
  "curl: (37) Couldn't open file ../other/file",
  'jq: error: Could not open file ../other/file: No such file or directory',
  'couldn\'t read file "../other/file": no such file or directory',
  'error: couldn\u0027t read `../other/file`: No such file or directory (os error 2)',
  'open ../other/file: no such file or directory',
  'ERROR: File ../other/file does not exist.',
  '\u001b[31mcat: ../other/file: No such file or directory\u001b[0m',
];

/** What programs print that look for a host in vain. */
const unreachable: readonly (readonly [string, string])[] = [
  ['curl: (6) Could not resolve host: example.org', 'example.org'],
  ["fatal: unable to access 'https://example.org/x/': Could not resolve host: example.org", 'example.org'],
  ['fatal: unable to look up example.org (port 9418) (Temporary failure in name resolution)', 'example.org'],
  ['wget: unable to resolve host address ‘example.org’', 'example.org'],
  ["curl: (7) Failed to connect to 192.0.2.7 port 80 after 0 ms: Couldn't connect to server", '192.0.2.7'],
  ['Connecting to 192.0.2.7:80... failed: Network is unreachable.', '192.0.2.7'],
  ['ssh: Could not resolve hostname example.org: Temporary failure in name resolution', 'example.org'],
  ['ssh: connect to host 192.0.2.7 port 22: Network is unreachable', '192.0.2.7'],
  ['npm error request failed, reason: getaddrinfo EAI_AGAIN example.org', 'example.org'],
  ['dial tcp: lookup example.org on [::1]:53: read: connection refused', 'example.org'],
  ["Temporary failure resolving 'example.org'", 'example.org'],
];

describe('what programs print', () => {
  it.each(complaints)('names the path that is missing: %s', (line) => {
    expect(missingPaths(line)).toContain(path);
  });

  it.each(unreachable)('names the host that is missing: %s', (line, host) => {
    expect(missingHosts(line)).toEqual([host]);
  });

  it.each([
    'checking for /etc/hosts... yes',
    'install -m 644 ../other/file /usr/share',
    'cc -c main.c -I../other/file',
    'loading https://example.org/x',
  ])('names nothing where nothing is missing: %s', (line) => {
    expect([missingPaths(line), missingHosts(line)]).toEqual([[], []]);
  });
});
