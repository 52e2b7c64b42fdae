/**
 * All programs in one executable file, which has the runtime in itself (cmd/release makes it). It is the program by whose name
 * it is called: the file is `tinymq`, and links to it are the others.
 */
import { basename, dirname, resolve } from 'node:path';

const EXIT_USAGE = 2;

const PROGRAMS: Readonly<Record<string, () => Promise<unknown>>> = {
  broker: () => import('../broker/main.ts'),
  publisher: () => import('../publisher/main.ts'),
  subscriber: () => import('../subscriber/main.ts'),
  tinymq: () => import('../tinymq/main.ts'),
  smq: () => import('../smq/main.ts'),
  dashmq: () => import('../dashmq/main.ts'),
};

start(process.argv0);

function start(called: string): void {
  const program = PROGRAMS[basename(called)];
  if (program === undefined) {
    const names = Object.keys(PROGRAMS).join(', ');
    process.stderr.write(
      `${basename(called)}: is tinymq as a single file; call it by one of these names: ${names}\n`,
    );
    process.exit(EXIT_USAGE);
  }
  // The others are beside it. Without a folder it was found on the PATH, and so are they.
  if (called.includes('/')) process.env.TINYMQ_PROGRAM_FOLDER = dirname(resolve(called));
  program();
}
