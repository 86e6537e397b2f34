import type { Digest } from '@strata/fingerprint';

/** Content that is not what its digest promised; it was not stored. */
export class WrongDigest extends Error {
  constructor(
    name: string,
    readonly expected: Digest,
    readonly actual: Digest,
  ) {
    super(`${name} has the digest ${actual}, not ${expected}`);
    this.name = 'WrongDigest';
  }
}
