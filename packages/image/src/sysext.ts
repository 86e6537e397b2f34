import { UserError } from '@strata/definitions';
import type { AbsolutePath } from '@strata/fingerprint';
import { scriptInput, type Action, type Input, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { devicesOf } from './devices.js';
import { guestScript, guestScripts, specInput } from './guest-scripts.js';
import { squashfsMediaType, squashfsOptions, type SquashfsCompression } from './squashfs.js';

/** What an extension is made of. */
export interface SysextParameters {
  readonly label: string;
  /** Has tar2sqfs or mkfs.erofs, and veritysetup for dm-verity. */
  readonly toolchain: LayerStack;
  /** What it brings. */
  readonly layers: LayerStack;
  /** The layers whose files it may not have. */
  readonly base: LayerStack;
  readonly name: string;
  readonly type: 'sysext' | 'confext';
  /** Fields of `extension-release.NAME`. */
  readonly release: Readonly<Record<string, string>>;
  /** Units that run while it is merged. */
  readonly services: readonly string[];
  /** As systemd names it; `_any` for one without programs. */
  readonly architecture: string;
  /** Absolute globs of what it does not hold. */
  readonly exclude: readonly string[];
  readonly format: 'squashfs' | 'erofs';
  readonly compression: SquashfsCompression | undefined;
  readonly verity: boolean;
}

/** The files of an extension, by what they are; systemd finds them beside each other by these names. */
export function sysextFiles(name: string): Record<'image' | 'hashTree' | 'rootHash' | 'signature', string> {
  return {
    image: `${name}.raw`,
    hashTree: `${name}.verity`,
    rootHash: `${name}.roothash`,
    signature: `${name}.roothash.p7s`,
  };
}

/** Compressors of `mkfs.erofs`: their names, and their lowest and highest level. */
const erofsCompressors = {
  zstd: ['zstd', 1, 22],
  gzip: ['deflate', 1, 9],
  xz: ['lzma', 0, 9],
  lz4: ['lz4hc', 1, 12],
} as const;

/** What `sysext.py` needs to know of a compression for erofs. Throws a {@link UserError} where there is no such level. */
function erofsOptions({ algorithm, level, blockSize = '128K' }: SquashfsCompression): object {
  const [compressor, lowest, highest] = erofsCompressors[algorithm];
  if (level !== undefined && (level < lowest || level > highest)) {
    throw new UserError(`${algorithm} has no level ${level} in an erofs`, {
      hint: `choose a level from ${lowest} to ${highest} under \`compression:\``,
    });
  }
  const size = Number(blockSize.slice(0, -1)) * (blockSize.endsWith('M') ? 1 << 20 : 1 << 10);
  const plain = algorithm === 'lz4' ? 'lz4' : compressor;
  return { compressor: level === undefined ? plain : `${compressor},level=${level}`, clusterSize: size };
}

/** Layers that a script looks at one by one, from the lowest. */
function numbered(folder: string, layers: LayerStack): Input[] {
  return layers.map((layer, index) => ({ kind: 'layer', name: `${folder}/${index}`, layer }));
}

/**
 * The action that makes an extension: outputs `NAME.raw` and, with dm-verity, `NAME.verity` and `NAME.roothash`. It fails
 * where the content lies outside of what an extension can bring, belongs to the base, deletes some of it, or is for another
 * architecture.
 */
export function sysextAction(parameters: SysextParameters): Action {
  const { label, toolchain, layers, base, name, type, release, services, architecture, exclude } = parameters;
  const { format, compression, verity } = parameters;
  const files = sysextFiles(name);
  const spec = {
    name,
    type,
    release,
    services,
    architecture,
    exclude,
    format,
    compression:
      format === 'erofs'
        ? erofsOptions(compression ?? { algorithm: 'lz4' })
        : squashfsOptions(compression ?? { algorithm: 'zstd' }),
    verity,
    devices: devicesOf(layers),
  };
  return {
    label,
    toolchain,
    rootfs: { lower: layers },
    inputs: [
      ...guestScripts('squashfs.py', 'sysext.py', 'rootpath.py'),
      specInput(spec),
      ...numbered('base', base),
      // each by itself: merged, what they delete of the base is not to be seen
      ...(base.length === 0 ? [] : numbered('content', layers)),
    ],
    argv: ['python3', '-B', '/strata/in/bin/sysext.py'],
    outputs: {
      [files.image]: format === 'squashfs' ? squashfsMediaType : 'application/vnd.strata.erofs',
      ...(verity ? { [files.hashTree]: 'application/vnd.strata.verity', [files.rootHash]: 'text/plain' } : {}),
    },
  };
}

/** The action that signs a root hash: its output is the PKCS#7 signature, in a file named `output`. */
export function signatureAction(parameters: {
  readonly label: string;
  /** Has openssl. */
  readonly toolchain: LayerStack;
  readonly rootHash: Descriptor;
  /** A private RSA key in PEM: bound where it lies, and in the action's key by its digest only. */
  readonly key: AbsolutePath;
  readonly certificate: AbsolutePath;
  readonly output: string;
}): Action {
  const { label, toolchain, rootHash, key, certificate, output } = parameters;
  return {
    label,
    toolchain,
    inputs: [
      scriptInput('sign.py', guestScript('sign.py')),
      specInput({ output: `/strata/out/${output}` }),
      { kind: 'artifact', name: 'roothash', artifact: rootHash },
      { kind: 'file', name: 'key.pem', path: key },
      { kind: 'file', name: 'certificate.pem', path: certificate },
    ],
    argv: ['python3', '-B', '/strata/in/bin/sign.py'],
    outputs: { [output]: 'application/pkcs7-signature' },
  };
}
