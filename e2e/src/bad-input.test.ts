import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

const scratch = 'from: scratch\n';

/** Definitions that are wrong, each with what `nx run PROJECT:build` says. */
const mistakes: Readonly<Record<string, { files: Record<string, string>; project?: string; says: string[] }>> = {
  'an unknown field': {
    files: { 'os/misspelt/layer.yaml': 'from: scratch\npackges: []\n' },
    says: ['error: os/misspelt/layer.yaml:2: unknown field `packges`', 'hint: did you mean `packages`?'],
  },
  'a misspelt field inside of another': {
    files: { 'os/inside/layer.yaml': 'from: scratch\ntrees:\n  - source: a\n    tagret: /\n    target: /\n' },
    says: ['error: os/inside/layer.yaml:4: unknown field `tagret` in `trees[0]`', 'hint: did you mean `target`?'],
  },
  'a wrong type': {
    files: { 'os/typed/image.yaml': 'layers: good\n' },
    says: [
      'error: os/typed/image.yaml:1: `layers` has to be a list, and is a text',
      'hint: write it as a list: [good]',
    ],
  },
  'no YAML': {
    files: { 'os/broken/layer.yaml': 'from: scratch\nname: [\n' },
    says: [
      'error: os/broken/layer.yaml:3: Flow sequence in block collection must be sufficiently indented and end with a ]',
      'hint: indent the fields of a map alike, and quote a text that has `: ` in it',
    ],
  },
  'a project that is not there': {
    files: { 'os/missing/image.yaml': 'layers:\n  - goood\n' },
    says: ['error: os/missing/image.yaml:2: there is no layer named goood', 'hint: did you mean good?'],
  },
  'a project of the wrong kind': {
    files: { 'os/wrong/image.yaml': 'layers: [good]\nkernel: good\n' },
    says: [
      'error: os/wrong/image.yaml:2: good is a layer (os/good/layer.yaml), and a kernel is needed here',
      'hint: name a project with a kernel.yaml',
    ],
  },
  'two definitions in one folder': {
    files: { 'os/two/layer.yaml': scratch, 'os/two/image.yaml': 'layers: [good]\n' },
    says: [
      'error: os/two/image.yaml:1: os/two has two definitions, os/two/image.yaml and os/two/layer.yaml',
      'hint: give each definition a folder of its own',
    ],
  },
  'the name of a project of another plugin': {
    files: { 'os/tools/layer.yaml': `name: tools\n${scratch}`, 'libs/tools/package.json': '{ "name": "tools" }' },
    project: 'os-tools',
    says: [
      'error: os/tools/layer.yaml:1: the project in libs/tools is named tools too',
      'hint: give one of them another `name:`',
    ],
  },
  'the name of another definition': {
    files: {
      'os/twin/layer.yaml': `${scratch}name: twin\n`,
      'os/other-twin/layer.yaml': `${scratch}name: twin\n`,
    },
    project: 'twin',
    says: [
      'error: os/other-twin/layer.yaml:2: os/twin/layer.yaml is named twin too',
      'hint: give one of them another `name:`',
    ],
  },
  'a parent whose target a script hides': {
    files: {
      'libs/scripted/layer.yaml': scratch,
      'libs/scripted/package.json': '{ "name": "scripted", "scripts": { "build": "echo built" } }',
      'os/on-scripted/image.yaml': 'layers: [scripted]\n',
    },
    project: 'on-scripted',
    says: [
      'error: libs/scripted/layer.yaml:1: libs/scripted/package.json gives this project a build too, and Nx keeps one of a name',
      'hint: move the definition into a folder of its own, or rename the other target',
    ],
  },
  'another name for the same folder': {
    files: { 'libs/named/layer.yaml': scratch, 'libs/named/package.json': '{ "name": "@shop/named" }' },
    project: '@shop/named',
    says: [
      'error: libs/named/layer.yaml:1: the project in libs/named is named @shop/named by another file, and named here',
      'hint: give the definition `name: @shop/named`, or a folder of its own',
    ],
  },
  'an extension to be tried on what cannot be booted': {
    files: {
      'os/no-kernel/image.yaml': 'layers: [good]\n',
      'os/tried/sysext.yaml': 'from: { layers: [good] }\ntest: { on: [no-kernel] }\n',
    },
    project: 'tried',
    says: [
      'error: os/tried/sysext.yaml:2: no-kernel cannot be booted: it has no kernel or no initramfs',
      'hint: name them under `kernel:` and `initramfs:` of no-kernel',
    ],
  },
  'a cycle of layers': {
    files: { 'os/a/layer.yaml': 'from: b\n', 'os/b/layer.yaml': 'from: a\n' },
    project: 'a',
    says: [
      'error: os/a/layer.yaml:1: the layers a → b → a stand on each other',
      'hint: let one of them start `from:` scratch',
    ],
  },
  'a layer on itself': {
    files: { 'os/own/layer.yaml': 'from: own\n' },
    says: [
      'error: os/own/layer.yaml:1: the layers own → own stand on each other',
      'hint: let one of them start `from:` scratch',
    ],
  },
  'a cycle of toolchains': {
    files: {
      'os/c/layer.yaml': `${scratch}toolchain: d\n`,
      'os/d/layer.yaml': `${scratch}toolchain: c\n`,
    },
    project: 'c',
    says: [
      'error: os/c/layer.yaml:2: the projects c → d → c need each other',
      'hint: name another `toolchain:`; one from a Debian suite needs none',
    ],
  },
  'a task that is not there': {
    files: {
      'os/no-target/layer.yaml': `${scratch}trees:\n  - { source: { task: "other:biuld", path: dist }, target: / }\n`,
    },
    says: [
      'error: os/no-target/layer.yaml:2: the project other has no target biuld',
      'hint: did you mean other:build?',
    ],
  },
  'a task of a project that is not there': {
    files: {
      'os/no-project/layer.yaml': `${scratch}trees:\n  - { source: { task: "othr:build", path: dist }, target: / }\n`,
    },
    says: ['error: os/no-project/layer.yaml:3: there is no project named othr', 'hint: did you mean other?'],
  },
  'a folder that is not there': {
    files: { 'os/no-folder/layer.yaml': `${scratch}trees:\n  - { source: tree, target: / }\n` },
    says: [
      'error: os/no-folder/layer.yaml:3: there is no folder os/no-folder/tree',
      'hint: make it, or correct the path in the definition',
    ],
  },
  'a text that is not UTF-8': {
    files: { 'os/zero/layer.yaml': `${scratch}description: "\0"\n` },
    says: ['error: os/zero/layer.yaml:2: the file is not a text in UTF-8', 'hint: save it as UTF-8'],
  },
  'a name of a field that is no text': {
    files: { 'os/odd-key/layer.yaml': `${scratch}? [a, b]\n: c\n` },
    says: [
      'error: os/odd-key/layer.yaml:2: the name of a field has to be a text',
      'hint: write the field as `name: value`',
    ],
  },
};

describe('definitions with mistakes', () => {
  let workspace: Workspace;
  let outcome: Outcome;
  const projectOf = ([, { files, project }]: (typeof cases)[number]): string =>
    project ?? Object.keys(files)[0]?.split('/')[1] ?? '';
  const cases = Object.entries(mistakes);

  beforeAll(() => {
    workspace = new Workspace('shared', {
      projects: ['vm-toolchain'],
      files: {
        'package.json': '{ "name": "shop", "private": true, "workspaces": ["libs/*"] }\n',
        'nx.json': '{ "plugins": [{ "plugin": "nx-strata", "options": { "toolchain": "vm-toolchain" } }] }\n',
        'libs/other/package.json': '{ "name": "other", "scripts": { "build": "echo other is built" } }\n',
        // no project of the workspace, and so nobody's name
        'fixtures/good/package.json': '{ "name": "good" }\n',
        'os/good/layer.yaml': scratch,
        ...Object.fromEntries(cases.flatMap(([, { files }]) => Object.entries(files))),
      },
    });
    outcome = workspace.nx([
      'run-many',
      '--targets=build',
      `--projects=${cases.map(projectOf).join(',')}`,
      '--outputStyle=static',
      '--parallel=2',
    ]);
  }, 3 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  it.each(cases)('%s: are told in a line and a hint', (title, mistake) => {
    const sections = outcome.output.split(/^> nx run /m);
    const own = sections.find((section) => section.startsWith(`${projectOf([title, mistake])}:build\n`));
    const lines = own?.split('\n').map((line) => line.trim());
    expect([own, lines]).toEqual([expect.anything(), expect.arrayContaining(mistake.says)]);
  });

  it('end with status 1 and without a stack trace', () => {
    expect(outcome.status).toBe(1);
    expect(outcome.output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(outcome.output).not.toContain('Warning:');
    expect(outcome.ran.filter((label) => !label.startsWith('vm-toolchain:'))).toEqual([]);
  });

  it('stop nobody else’s targets', () => {
    expect(workspace.nx(['run', 'other:build'])).toMatchObject({
      status: 0,
      output: expect.stringContaining('other is built') as unknown,
    });
    expect(workspace.nx(['run', 'scripted:build']).output).toContain('built');
    expect(workspace.nx(['show', 'projects']).output.split('\n')).toEqual(
      expect.arrayContaining(['good', 'other', 'tools', 'os-tools', 'twin', 'vm-toolchain']),
    );
  });

  it('are told by Strata’s own commands too', () => {
    const told = (...words: string[]): string[] =>
      workspace
        .strata(...words)
        .output.trim()
        .split('\n')
        .slice(-2);
    expect(told('update', 'misspelt')).toEqual(mistakes['an unknown field']?.says);
    expect(told('why', 'goood:build')).toEqual([
      "error: there is no project of Strata's named goood",
      'hint: did you mean good?',
    ]);
    expect(told('prefix', 'shell', 'good')).toEqual([
      'error: good is a layer (os/good/layer.yaml), and a prefix is needed here',
      'hint: there is none: a prefix is a folder with a prefix.yaml',
    ]);
  });

  it('in the options of the plugin are told by its projects only', () => {
    workspace.write(
      'nx.json',
      '{ "plugins": [{ "plugin": "nx-strata", "options": { "toolchian": "vm-toolchain" } }] }\n',
    );
    const { status, output } = workspace.nx(['run', 'good:build', '--outputStyle=static']);
    expect(status).toBe(1);
    expect(output).toContain('error: nx.json: nx-strata has no option `toolchian`\nhint: did you mean `toolchain`?\n');
    expect(workspace.nx(['run', 'other:build']).status).toBe(0);
    expect(workspace.strata('keys').output).toContain('error: nx.json: nx-strata has no option `toolchian`\n');
  });
});
