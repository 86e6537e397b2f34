import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlan, type Plan } from '@strata/portage';
import { openUserStore, runAction, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { repositoryRoot, toolchain, Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

/** What of a task's output file is looked at here. */
interface Left {
  readonly outputs: Readonly<Record<string, Descriptor>>;
  readonly stack: LayerStack;
}

/** Ebuilds of ours that do what those of Gentoo's own tree do: `e2e/repositories/proving`. */
describe('ebuilds in a toolchain that is not Gentoo', () => {
  let workspace: Workspace;

  const build = (name: string): Outcome => workspace.nx(['run', `${name}:build`, '--outputStyle=static']);

  const succeed = (outcome: Outcome): Outcome => {
    expect([outcome.status, outcome.status === 0 ? '' : outcome.output.slice(-6000)]).toEqual([0, '']);
    return outcome;
  };

  const left = (project: string, target: string): Left =>
    JSON.parse(readFileSync(join(workspace.root, 'dist/os', project, 'strata', `${target}.json`), 'utf8')) as Left;

  /** What a command prints that finds a layer, and those below it, at `/strata/root`. */
  const over = async (layer: string, ...argv: readonly string[]): Promise<string[]> => {
    const printed: string[] = [];
    const lower = left(layer, 'build').stack;
    await runAction(
      await openUserStore(),
      { label: 'test:over', toolchain: toolchain('toolchain'), rootfs: { lower }, inputs: [], argv, outputs: {} },
      { force: true, onEvent: (event) => event.type === 'line' && printed.push(event.line) },
    );
    return printed;
  };

  /** What a layer's own program prints inside of it. */
  const inside = (layer: string, program: string): Promise<string[]> => over(layer, 'chroot', '/strata/root', program);

  const plan = async (layer: string): Promise<Plan> => {
    const descriptor = left(layer, 'plan').outputs['plan.json'];
    if (descriptor === undefined) {
      throw new Error(`${layer}:plan left no plan`);
    }
    return parsePlan(await (await openUserStore()).readText(descriptor));
  };

  beforeAll(() => {
    workspace = new Workspace();
    cpSync(join(repositoryRoot, 'e2e/repositories/proving'), join(workspace.root, 'os/proving'), { recursive: true });
    workspace.write('os/proving/repository.yaml', 'name: proving\nsource: { folder: . }\n');
    workspace.write(
      'os/programs/layer.yaml',
      'name: programs\nfrom: scratch\nrepositories: [main, proving]\nprofile: main:base\nportageConfig: etc-portage\n' +
        'packages: [virtual/libc, app-misc/counter, app-misc/reader]\n',
    );
    workspace.write('os/programs/etc-portage/package.use', 'app-misc/reader speech\n');
    workspace.write(
      'os/programs/etc-portage/patches/app-misc/counter/user.patch',
      '--- a/counter.c\n+++ b/counter.c\n@@ -10,4 +10,4 @@\n {\n \tconst char *greeting = "patched";\n' +
        '-\tconst char *user = "no user did";\n+\tconst char *user = "by the user too";\n \n',
    );
    workspace.write(
      'os/upgraded/layer.yaml',
      'name: upgraded\nfrom: programs\nportageConfig: etc-portage\npackages: [">=dev-libs/numbers-2"]\n',
    );
    workspace.write('os/upgraded/etc-portage/package.accept_keywords', 'dev-libs/numbers ~amd64\n');
    workspace.commit('programs');
  });

  afterAll(() => {
    workspace.dispose();
  });

  it(
    'build with Autotools, Meson and CMake, find what they need by has_version -b, and are patched',
    async () => {
      succeed(build('programs'));
      expect(await inside('programs', 'counter')).toEqual([
        'patched, by the user too: numbers 1, extra 1 and 1, python',
      ]);
      expect(await inside('programs', 'reader')).toEqual(['numbers 1']);
      const { packages } = await plan('programs');
      expect(packages.map(({ cpv }) => cpv)).not.toContain('dev-build/automake-1.18.1');
      expect(packages.find(({ pn }) => pn === 'reader')?.use).toEqual(expect.arrayContaining(['speech']));
    },
    10 * minutes,
  );

  it(
    'start nothing after the plan where an eclass gets a comment',
    () => {
      // a text of its own, since the store may know plans of an earlier run
      workspace.append('os/proving/eclass/remake.eclass', `\n# nobody but ${workspace.root} needs to know\n`);
      expect(succeed(build('programs')).ran).toEqual(['programs:plan']);
    },
    2 * minutes,
  );

  it(
    'are rebuilt by a child layer that replaces the library they are bound to',
    async () => {
      succeed(build('upgraded'));
      const { packages } = await plan('upgraded');
      expect(packages.map(({ cpv }) => cpv).sort()).toEqual([
        'app-misc/counter-1',
        'app-misc/reader-1',
        'dev-libs/numbers-2',
      ]);
      expect(await inside('upgraded', 'counter')).toEqual([
        'patched, by the user too: numbers 2, extra 1 and 1, python',
      ]);
    },
    5 * minutes,
  );

  it(
    'are refused where a script below has changed what the plan relies on',
    () => {
      workspace.write('os/meddled/layer.yaml', 'name: meddled\nfrom: programs\nscripts: [meddle.sh]\n');
      workspace.write(
        'os/meddled/meddle.sh',
        '#!/bin/sh\ncd "$ROOT/var/db/pkg"\nsed -i s/speech/braille/ app-misc/reader-1/USE\n' +
          'echo 0/7 > dev-libs/numbers-1/SLOT\necho "# other" >> app-misc/counter-1/counter-1.ebuild\n',
      );
      workspace.write('os/above/layer.yaml', 'name: above\nfrom: meddled\npackages: [dev-lang/lua]\n');
      const { status, output } = workspace.nx(['run', 'above:build', '--outputStyle=static']);
      expect(status).not.toBe(0);
      const lines = output.split('\n');
      const start = lines.findIndex((line) => line.startsWith('error: '));
      expect(lines.slice(start, start + 5)).toEqual([
        'error: above:merge: the layers below hold other packages than their plans say',
        expect.stringMatching(/^ {2}\| app-misc\/counter-1: the ebuild planned: \w{64}; there: \w{64}$/),
        expect.stringMatching(/^ {2}\| app-misc\/reader-1: USE flags planned: .* speech; there: .* braille .*$/),
        '  | dev-libs/numbers-1: slot planned: 0/1; there: 0/7',
        expect.stringMatching(/^hint: a script, a tree or `exclude` of a layer below changed var\/db\/pkg/),
      ]);
    },
    3 * minutes,
  );

  it(
    'keep the attributes that they set, and are reached by the snippets of profile and user, when built and when merged',
    async () => {
      workspace.write(
        'os/marked/layer.yaml',
        'name: marked\nfrom: scratch\nrepositories: [main, proving]\nprofile: proving:hooked\n' +
          'portageConfig: etc-portage\npackages: [app-misc/marked]\n',
      );
      for (const [name, text] of Object.entries({
        'profile/package.bashrc': 'app-misc/marked own\n',
        'profile/bashrc/own': 'REACHED+=" own"\n',
        bashrc: 'REACHED+=" bashrc"; . "${PORTAGE_CONFIGROOT}/etc/portage/bashrc.d/more"\n',
        'bashrc.d/more': 'REACHED+=" more"\n',
        'env/app-misc/marked': 'REACHED+=" env"\n',
        'package.env': 'app-misc/marked variables.conf\n',
        'env/variables.conf': 'FROM_PACKAGE_ENV="variables"\n',
        'savedconfig/app-misc/marked': 'saved\n',
      })) {
        workspace.write(`os/marked/etc-portage/${name}`, text);
      }
      succeed(build('marked'));
      const reached = ' profile.bashrc package.bashrc own bashrc more env';
      expect(await over('marked', 'sh', '-c', 'cd /strata/root/usr/share/marked; cat reached marked')).toEqual([
        `variables${reached}`,
        reached,
        'saved',
      ]);
      const program = `import os
os.chdir("/strata/root/usr")
print(os.getxattr("bin/pinger", "security.capability").hex())
print(os.getxattr("share/marked/note", "user.tag") == bytes(range(256)))`;
      expect(await over('marked', 'python3', '-c', program)).toEqual([
        '0100000200200000000000000000000000000000',
        'True',
      ]);
    },
    3 * minutes,
  );

  it(
    'are not merged again where the layers below have them',
    async () => {
      workspace.write('os/same/layer.yaml', 'name: same\nfrom: programs\npackages: [app-misc/reader]\n');
      succeed(build('same'));
      expect((await plan('same')).packages).toEqual([]);
      expect(await over('same', 'cat', '/strata/root/var/lib/portage/world')).toContain('app-misc/reader');
    },
    3 * minutes,
  );
});
