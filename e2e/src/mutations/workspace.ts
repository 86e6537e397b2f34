import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { copyExample, repositoryRoot } from '../repository.js';
import { definitions } from './definitions.js';

/** A step into a YAML file: a field, or an index of a list. */
export type YamlPath = readonly (string | number)[];

/** The example OS, and beside it one project of each kind for the fields that the example does not use. */
export class MutationWorkspace {
  readonly root: AbsolutePath;

  constructor(parent = '/var/tmp') {
    this.root = absolutePath(mkdtempSync(join(parent, 'strata-mutations-')));
    copyExample(join(this.root, 'os'));
    for (const name of ['nx.json', '.gitignore']) {
      cpSync(join(repositoryRoot, name), join(this.root, name));
    }
    this.write('package.json', '{ "name": "workspace", "private": true }\n');
    this.write('site/package.json', '{ "name": "site", "scripts": { "build": "true" } }\n');
    this.write('site/dist/index.html', '<p>built by another project</p>\n');
    for (const [file, text] of Object.entries(definitions)) {
      this.write(file, text);
    }
    symlinkSync('hostname', join(this.root, 'os/extra/tree/name'));
    chmodSync(join(this.root, 'os/extra/after.sh'), 0o755);
    this.#git('init', '--quiet');
    this.commit();
  }

  #git(...words: string[]): void {
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...words], {
      cwd: this.root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  commit(): void {
    this.#git('add', '--all', '--force');
    this.#git('commit', '--quiet', '--allow-empty', '--message', 'as it was');
  }

  /** Puts everything back. */
  reset(): void {
    this.#git('reset', '--quiet', '--hard');
    this.#git('clean', '--quiet', '-d', '--force', '-x');
  }

  /** The one ebuild of a package, relative to the example's repository. */
  ebuild(name: string): string {
    const found = readdirSync(this.path(`os/repository/${name}`)).filter((entry) => entry.endsWith('.ebuild'));
    if (found.length !== 1) {
      throw new Error(`${name} has ${found.length} ebuilds`);
    }
    return `${name}/${found[0] ?? ''}`;
  }

  path(file: string): string {
    return join(this.root, file);
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), text);
  }

  append(file: string, text: string): void {
    writeFileSync(this.path(file), this.read(file) + text);
  }

  /** Replaces a text in a file. Throws where it is not there, so that no case changes nothing. */
  replace(file: string, before: string | RegExp, after: string): void {
    const text = this.read(file);
    const changed = text.replace(before, after);
    if (changed === text) {
      throw new Error(`${file} has no ${String(before)}`);
    }
    this.write(file, changed);
  }

  /** Sets a field of a YAML file; `undefined` takes it out. */
  set(file: string, path: YamlPath, value: unknown): void {
    const document = parseDocument(this.read(file));
    const before = document.toString();
    if (value === undefined) {
      document.deleteIn(path);
    } else {
      document.setIn(path, document.createNode(value));
    }
    if (document.toString() === before) {
      throw new Error(`${file} has that value of ${path.join('.')} already`);
    }
    this.write(file, document.toString());
  }

  remove(file: string): void {
    lstatSync(this.path(file));
    rmSync(this.path(file), { recursive: true });
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A digest that no file has. */
export function otherDigest(seed: string): string {
  return `sha256:${createHash('sha256').update(seed).digest('hex')}`;
}
