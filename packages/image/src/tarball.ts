import { layerMediaType, type Action, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { guestScripts, specInput } from './guest-scripts.js';

/** The action that takes a tarball in as a layer, its output `layer.tar.zst`. */
export function tarballAction(parameters: {
  readonly label: string;
  readonly toolchain: LayerStack;
  /** A tar, plain or compressed with gzip, bzip2, xz or zstd. */
  readonly tarball: Descriptor;
  /** Whether the one folder that everything lies in, if there is one, is left out: archives of a source have it. */
  readonly stripTop: boolean;
}): Action {
  return {
    label: parameters.label,
    toolchain: parameters.toolchain,
    inputs: [
      ...guestScripts('tarball.py'),
      specInput({ stripTop: parameters.stripTop }),
      { kind: 'artifact', name: 'tarball', artifact: parameters.tarball },
    ],
    argv: ['python3', '-B', '/strata/in/bin/tarball.py'],
    outputs: { 'layer.tar.zst': layerMediaType },
  };
}
