import { close, constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { promisify } from 'node:util';
import type { AbsolutePath } from '@strata/fingerprint';
import { execa } from 'execa';

/** In characters; what is longer is cut, so that a file on stdout cannot fill the memory. */
const longestLine = 1 << 20;

const openFile = promisify(open);
const closeFile = promisify(close);

/**
 * A pipe from which lines are read. What Node itself makes for a child are sockets, which nothing can open as
 * `/dev/stdout` or `/dev/stderr`; with one pipe for both, their lines keep their order.
 */
export class LinePipe {
  readonly #socket: Socket;

  private constructor(
    /** The file descriptor to write to. */
    readonly writer: number,
    reader: number,
  ) {
    this.#socket = new Socket({ fd: reader, readable: true, writable: false });
  }

  /** Makes a pipe; its name lies in a folder, and is not needed afterwards. */
  static async make(folder: AbsolutePath): Promise<LinePipe> {
    const path = join(folder, 'lines');
    await execa('mkfifo', ['--mode=600', path]);
    // a writer has to find a reader, and a reader that finds no writer is at the end
    const reader = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new LinePipe(await openFile(path, constants.O_WRONLY), reader);
  }

  /** Has to be called once the child has the writer, too: the lines end when everybody closed it. */
  closeWriter(): Promise<void> {
    return closeFile(this.writer);
  }

  /** All lines, until nobody can write any more. */
  async *lines(): AsyncGenerator<string, void, void> {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length > longestLine) {
        yield rest;
        rest = '';
      }
    }
    rest += decoder.end();
    if (rest !== '') {
      yield rest;
    }
  }
}
