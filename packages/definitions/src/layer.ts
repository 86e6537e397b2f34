import { z } from 'zod';
import {
  atom,
  commonFields,
  debianSource,
  digest,
  mode,
  once,
  owner,
  pathInside,
  pathOfProject,
  portageFields,
  projectName,
  toolchainField,
  treeSource,
} from './common.js';

const rule = z.strictObject({
  match: z.string().describe('Glob, relative to the tree'),
  user: owner.optional().describe('Owner'),
  group: owner.optional().describe('Group'),
  mode: mode.optional().describe('Mode, quoted: "4755"'),
});

/** A tree of files that a layer takes in. */
export const treeSchema = z.strictObject({
  source: treeSource,
  target: pathInside.describe('Where the tree goes'),
  user: owner.optional().describe('Owner of everything in it. Default: 0'),
  group: owner.optional().describe('Group of everything in it. Default: 0'),
  mode: mode.optional().describe('Mode of its files. Default: 0755 where the owner may execute, else 0644'),
  directoryMode: mode.optional().describe('Mode of its folders. Default: 0755'),
  rules: z.array(rule).optional().describe('Exceptions; the last one that matches wins'),
});

/** A device node: it exists in tars and images only, since a user namespace cannot make it. */
export const deviceSchema = z
  .strictObject({
    path: pathInside.describe('Path of the node'),
    type: z.enum(['char', 'block', 'fifo']).describe('Kind of node'),
    major: z.int().min(0).optional().describe('Major number, of all but a fifo'),
    minor: z.int().min(0).optional().describe('Minor number, of all but a fifo'),
    mode: mode.default('0600').describe('Mode, quoted'),
    user: z.int().min(0).max(65535).default(0).describe('Owner, a number'),
    group: z.int().min(0).max(65535).default(0).describe('Group, a number'),
  })
  .superRefine((device, context) => {
    for (const field of ['major', 'minor'] as const) {
      if ((device[field] === undefined) !== (device.type === 'fifo')) {
        const message = device.type === 'fifo' ? 'a fifo has none' : `a ${device.type} device has one`;
        context.addIssue({ code: 'custom', path: [field], message });
      }
    }
  });

/** `layer.yaml`: one step of a root file system. */
export const layerSchema = z.strictObject({
  ...commonFields,
  ...toolchainField,
  from: z
    .union([
      z.strictObject({
        tarball: z.string().min(1).describe('Address of the tarball, or its path, relative to the project'),
        digest: digest.describe("The tarball's digest: `sha256:` and 64 hex digits"),
      }),
      z.strictObject({
        debian: z
          .strictObject({
            ...debianSource,
            packages: once(z.string()).default([]).describe('Packages besides the essential ones'),
            wheels: z
              .array(z.string().regex(/^[A-Za-z0-9._-]+==[^\s=]+$/, 'a wheel is written name==version'))
              .optional()
              .describe('Python wheels, installed below /opt'),
          })
          .describe('Packages of a Debian suite: a whole small Debian'),
      }),
      z.union([z.literal('scratch'), projectName]),
    ])
    .describe(
      '`scratch`, the name of the parent layer, `{ tarball, digest }`, or `{ debian: { suite, packages, lock } }`',
    ),
  repositories: once(projectName).optional().describe("Ebuild repositories, besides the parents'"),
  profile: portageFields.profile.optional().describe('Profile, as `repository:path`. Default: the parent’s'),
  packages: once(atom).optional().describe('Atoms to merge'),
  portageConfig: portageFields.portageConfig.optional(),
  trees: z.array(treeSchema).optional().describe('Trees of files to take in'),
  scripts: z
    .array(pathOfProject)
    .optional()
    .describe('Scripts to run in the end: in the toolchain with ROOT set; `NAME.chroot` inside of the layer'),
  devices: z.array(deviceSchema).optional().describe('Device nodes'),
  exclude: z
    .array(pathInside)
    .optional()
    .describe('Globs of what the layer does not keep, its parents’ files included'),
});
