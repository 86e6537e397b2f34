import type { Descriptor } from './types.js';

/** A descriptor whose bytes are not in the store: its producer has to run again. */
export class MissingArtifact extends Error {
  constructor(readonly artifact: Descriptor) {
    super(`${artifact.digest} is not in the store`);
    this.name = 'MissingArtifact';
  }
}
