import { field, file, type Case } from './case.js';

const sysext = 'os/own-sysext/sysext.yaml';

/** What has to do with the key's pair. */
const extensionSigned = ['own-sysext:signature', 'own-sysext:test-own-image'];
const extensionMade = ['own-sysext:build'];
/** What names the extension or its units to the systems that it is tried on. */
const extensionBoth = ['own-sysext:build', 'own-sysext:test-own-image'];

/** Every field of an extension, and the files that it names. */
export const sysextCases: readonly Case[] = [
  field('sysext', 'description', sysext, ['description'], 'Other words', []),
  field('sysext', 'tags', sysext, ['tags'], ['other'], []),
  field('sysext', 'name', sysext, ['name'], 'renamed', [
    ...['build', 'signature', 'test-own-image'].flatMap((target) => [`renamed:${target}`, `own-sysext:${target}`]),
  ]),
  field('sysext', 'toolchain', sysext, ['toolchain'], 'toolchain', extensionMade),
  field('sysext', 'type', sysext, ['type'], 'confext', extensionBoth),
  field('sysext', 'extension', sysext, ['extension'], 'other', extensionBoth),
  field('sysext', 'version', sysext, ['version'], '2', []),
  field('sysext', 'from.layers', sysext, ['from', 'layers'], ['tools'], extensionMade),
  field('sysext', 'from.prefix', sysext, ['from'], { prefix: 'own-prefix' }, extensionMade),
  field('sysext', 'from.tree', sysext, ['from'], { tree: 'tree' }, ['own-sysext:tree']),
  field('sysext', 'from.tree', sysext, ['from'], { layers: ['extra'], tree: 'tree' }, ['own-sysext:tree']),
  field('sysext', 'from.tree.task', sysext, ['from'], { tree: { task: 'site:other', path: 'dist' } }, [], {
    refuses: ['own-sysext:build'],
  }),
  field('sysext', 'from.tree.path', sysext, ['from'], { tree: { task: 'site:build', path: 'other' } }, [], {
    refuses: ['own-sysext:build'],
  }),
  field('sysext', 'base', sysext, ['base'], undefined, extensionMade),
  field('sysext', 'exclude', sysext, ['exclude'], ['/srv', '/usr/share'], extensionMade),
  field('sysext', 'id', sysext, ['id'], 'flatcar', extensionMade),
  field('sysext', 'versionId', sysext, ['versionId'], '12', extensionMade),
  {
    name: `${sysext}: sysextLevel instead of versionId`,
    field: 'sysext: sysextLevel',
    apply: (workspace) => {
      workspace.replace(sysext, 'versionId: "13"', 'sysextLevel: "1"');
    },
    changes: extensionMade,
  },
  field('sysext', 'architecture', sysext, ['architecture'], 'arm64', extensionMade),
  field('sysext', 'format', sysext, ['format'], 'erofs', extensionMade),
  field('sysext', 'compression.algorithm', sysext, ['compression', 'algorithm'], 'gzip', extensionMade),
  field('sysext', 'compression.level', sysext, ['compression', 'level'], 6, extensionMade),
  field('sysext', 'compression.blockSize', sysext, ['compression', 'blockSize'], '512K', extensionMade),
  field('sysext', 'services', sysext, ['services'], [], extensionBoth),
  field('sysext', 'verity', sysext, ['verity'], true, ['own-sysext:test-own-image']),
  field('sysext', 'verity.key', sysext, ['verity', 'key'], 'certificate.pem', ['own-sysext:signature']),
  field('sysext', 'verity.certificate', sysext, ['verity', 'certificate'], 'key.pem', extensionSigned),
  field('sysext', 'publish.url', sysext, ['publish', 'url'], 'https://example.org/other/', []),
  field('sysext', 'publish.verify', sysext, ['publish', 'verify'], false, []),
  field(
    'sysext',
    'test.on',
    sysext,
    ['test', 'on'],
    ['ram-os'],
    ['own-sysext:test-ram-os', 'own-sysext:test-own-image'],
  ),
  field('sysext', 'test.timeout', sysext, ['test', 'timeout'], '90s', ['own-sysext:test-own-image']),
  ...(
    [
      [0, 'expect', 'ready'],
      [1, 'send', 'user'],
      [2, 'run', 'echo no'],
      [2, 'output', 'no'],
      [2, 'status', 1],
    ] as const
  ).map(([step, name, value]) =>
    field('sysext', `test.steps[].${name}`, sysext, ['test', 'steps', step, name], value, [
      'own-sysext:test-own-image',
    ]),
  ),
  file('os/own-sysext/key.pem', ['own-sysext:signature']),
  file('os/own-sysext/certificate.pem', extensionSigned),
];
