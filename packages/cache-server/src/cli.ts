#!/usr/bin/env node
import { UserError } from '@strata/definitions';
import { newToken } from './access.js';
import { readServeOptions } from './options.js';
import { serve } from './serve.js';

const usage = `strata-cache: what one machine built, nobody builds again

  strata-cache serve    serves a cache, and prints what to export
      --folder FOLDER   where everything is kept; default $XDG_CACHE_HOME/strata-cache, else ~/.cache/strata-cache
      --size SIZE       the most that is kept, such as 50GB (the default)
      --host HOST       default 127.0.0.1; any other one needs --tokens
      --port PORT       default 3280
      --tokens FILE     who may read and write what; read again when it changes, and on SIGHUP
      --tls-cert FILE   PEM; with --tls-key, serves HTTPS
      --tls-key FILE
      --patience TIME   how long a client may send or read next to nothing; default 60s
      --grace TIME      how long requests may go on after SIGTERM; default 30s
      --log-level LEVEL silent, error, warn, info (the default) or debug
  strata-cache token    makes a token, and prints the line for the tokens file
`;

function printToken(): void {
  const { token, sha256 } = newToken();
  console.error('# the token, for the one who uses it (nowhere else; it cannot be shown again):');
  console.log(token);
  console.error('# for the tokens file:');
  console.error(`  - { name: CHOOSE, sha256: ${sha256}, scope: CHOOSE, write: true }`);
}

function explain(error: unknown): readonly string[] {
  if (error instanceof UserError) {
    return error.lines;
  }
  if ((error as { readonly code?: unknown }).code?.toString().startsWith('ERR_PARSE_ARGS') === true) {
    return [`error: ${(error as Error).message.split('\n')[0] ?? ''}`, 'hint: see strata-cache --help'];
  }
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

try {
  const [command, ...words] = process.argv.slice(2);
  if (command === undefined || command === '--help' || command === '-h' || words.includes('--help')) {
    console.log(usage);
  } else if (command === 'serve') {
    await serve(readServeOptions(words, process.env), (line) => {
      console.log(line);
    });
  } else if (command === 'token') {
    printToken();
  } else {
    throw new UserError(`strata-cache has no command ${command}`, { hint: 'see strata-cache --help' });
  }
} catch (error) {
  for (const line of explain(error)) {
    console.error(line);
  }
  process.exitCode = 1;
}
