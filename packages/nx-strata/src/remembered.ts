import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceDataDirectoryForWorkspace } from 'nx/src/utils/cache-directory';
import { builtCode } from './built-code.js';

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** What a file holds, for a question: its digest, or why it cannot be read. */
export function stateOf(path: string): string {
  try {
    return sha256(readFileSync(path));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

let code: readonly string[] | undefined;

/** Changes with Strata's own code; by sizes and times, which is quicker than its bytes. A process keeps what it loaded. */
function stateOfCode(): readonly string[] {
  code ??= builtCode().flatMap(({ folder, files }) =>
    files.map((path) => {
      const { size, mtimeMs, ctimeMs, ino } = statSync(join(folder, path));
      return `${path} ${size} ${mtimeMs} ${ctimeMs} ${ino}`;
    }),
  );
  return code;
}

/** The answer in a file, if it is whole and to this question: a line with the question's digest, one with its own. */
function read(file: string, question: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [asked, digest] = text.split('\n', 2);
  const answer = text.slice((asked?.length ?? 0) + (digest?.length ?? 0) + 2);
  return asked === question && digest === sha256(answer) ? answer : undefined;
}

function write(file: string, question: string, answer: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(aside, `${question}\n${sha256(answer)}\n${answer}`);
    renameSync(aside, file);
  } catch {
    // the next command asks again
    rmSync(aside, { force: true });
  }
}

/**
 * What was answered to the same question before, in Nx's folder of data of the workspace; else asks. Each command of
 * Nx loads the plugin anew, and most of that time goes into libraries that only a changed definition needs.
 *
 * @param name of the question's kind: the last answer of each kind is kept
 * @param question all that the answer depends on, besides Strata's own code
 * @param ask gives the answer, which JSON has to be able to hold
 */
export async function remembered<T>(
  workspaceRoot: string,
  name: string,
  question: unknown,
  ask: () => Promise<T>,
): Promise<T> {
  const digest = sha256(JSON.stringify([stateOfCode(), question]));
  const file = join(workspaceDataDirectoryForWorkspace(workspaceRoot), `strata-${name}.json`);
  const known = read(file, digest);
  if (known !== undefined) {
    return JSON.parse(known) as T;
  }
  const answer = await ask();
  write(file, digest, JSON.stringify(answer));
  return answer;
}
