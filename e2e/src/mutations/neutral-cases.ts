import { chmodSync, utimesSync } from 'node:fs';
import type { Case } from './case.js';
import { repositoryPlans, ebuild, extra, image, portage } from './subjects.js';

/** Edits that change no key but those of plans, which come out the same. */
export const neutralCases: readonly Case[] = [
  {
    name: 'a comment in a definition',
    apply: (workspace) => {
      workspace.append(extra, '# a comment\n');
    },
    changes: [],
  },
  {
    name: 'the order of keys in a definition',
    apply: (workspace) => {
      workspace.write(image, `${workspace.read(image).split('\n').slice(1).join('\n')}name: own-image\n`);
    },
    changes: [],
  },
  {
    name: 'a comment and blank lines in an ebuild',
    apply: (workspace) => {
      workspace.append(ebuild(workspace.ebuild('dev-lang/lua')), '\n\n# a comment\n');
    },
    changes: repositoryPlans,
  },
  {
    name: 'a comment in package.use',
    apply: (workspace) => {
      workspace.append(`${portage}/package.use`, '# a comment\n');
    },
    changes: ['configured:plan'],
  },
  {
    name: 'a comment in make.conf',
    apply: (workspace) => {
      workspace.append(`${portage}/make.conf`, '# a comment\n');
    },
    changes: ['configured:plan'],
  },
  {
    name: 'metadata.xml of a package',
    apply: (workspace) => {
      workspace.append('os/repository/dev-lang/lua/metadata.xml', '<!-- hello -->\n');
    },
    changes: repositoryPlans,
  },
  {
    name: 'the times of files',
    apply: (workspace) => {
      for (const name of [
        'os/extra/tree/hostname',
        'os/extra/layer.yaml',
        'os/repository/profiles/base/make.defaults',
      ]) {
        utimesSync(workspace.path(name), 1, 1);
      }
    },
    changes: [],
  },
  {
    name: 'modes that git does not know',
    apply: (workspace) => {
      chmodSync(workspace.path('os/extra/tree/hostname'), 0o600);
      chmodSync(workspace.path('os/extra/tree'), 0o700);
    },
    changes: [],
  },
  {
    name: 'a file that git ignores, in a tree',
    apply: (workspace) => {
      workspace.append('.gitignore', '*.swp\n');
      workspace.write('os/extra/tree/.hostname.swp', 'editor\n');
    },
    changes: [],
  },
  {
    name: 'nx.json, .gitignore, package.json',
    apply: (workspace) => {
      workspace.replace('nx.json', '{', '{ "parallel": 2,');
      workspace.append('.gitignore', '# a comment\n');
      workspace.write('package.json', '{ "name": "workspace", "private": true, "devDependencies": { "x": "1" } }\n');
    },
    changes: [],
  },
  {
    name: 'another project of the workspace',
    apply: (workspace) => {
      workspace.write('libs/other/package.json', '{ "name": "other" }\n');
      workspace.write('libs/other/index.js', 'export {};\n');
    },
    changes: [],
  },
  {
    name: 'a broken definition of somebody else',
    apply: (workspace) => {
      workspace.write('os/broken/layer.yaml', 'form: scratch\n');
    },
    changes: [],
  },
];
