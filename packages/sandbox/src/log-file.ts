import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { AbsolutePath } from '@strata/fingerprint';

/** The file that takes all lines of an action. A log that cannot be written ends nothing: see {@link failure}. */
export class LogFile {
  readonly #stream: WriteStream;
  #failure: Error | undefined;

  constructor(path: AbsolutePath) {
    this.#stream = createWriteStream(path);
    this.#stream.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Why not everything is in the file; undefined where everything is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  async write(line: string): Promise<void> {
    if (this.#failure === undefined && !this.#stream.write(`${line}\n`)) {
      await once(this.#stream, 'drain').catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    if (!this.#stream.closed) {
      const closed = once(this.#stream, 'close').catch(() => undefined);
      this.#stream.end();
      await closed;
    }
  }
}
