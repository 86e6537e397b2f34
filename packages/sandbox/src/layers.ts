import { parseDigest, type AbsolutePath, type Digest } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { hostPython, hostScript, inUserNamespace } from './launch.js';
import type { LayerDescriptor, LayerStack } from './types.js';

/** The media type of a layer (OCI image specification, layer.md). */
export const layerMediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';

/** The annotation that holds the digest of a layer's uncompressed tar, which OCI calls its diff id. */
export const diffIdAnnotation = 'dev.strata.diff-id';

/** What a layer is named by in keys: its content, however it is compressed. Throws where the annotation is missing. */
export function diffIdOf(layer: LayerDescriptor): Digest {
  return parseDigest(layer.annotations[diffIdAnnotation]);
}

/** The folder that holds a layer unpacked, as a lower directory of an overlay. Unpacked once per machine. */
export async function unpackedLayer(store: Store, layer: LayerDescriptor, signal?: AbortSignal): Promise<AbsolutePath> {
  const diffId = diffIdOf(layer);
  const unpack = async (folder: AbsolutePath): Promise<void> => {
    const file = await store.path(layer);
    const scratch = await store.scratch();
    try {
      const argv = [...hostPython, hostScript('unpack.py'), file, folder, diffId];
      await inUserNamespace(argv, { scratch: scratch.path, signal });
    } finally {
      await scratch.dispose();
    }
  };
  return store.tree(diffId, unpack, signal);
}

/** The lower directories of a stack, bottom to top. */
export async function unpackedLayers(store: Store, layers: LayerStack, signal?: AbortSignal): Promise<AbsolutePath[]> {
  const folders: AbsolutePath[] = [];
  for (const layer of layers) {
    folders.push(await unpackedLayer(store, layer, signal));
  }
  return folders;
}
