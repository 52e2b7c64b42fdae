import { execFile } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Prints what is loaded, a line each, to the standard error. */
const TELLING = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  import { writeSync } from 'node:fs';
  registerHooks({
    load(url, context, next) {
      writeSync(2, url + '\\n');
      return next(url, context);
    },
  });
`)}`;

/*
 * Programs took up to 0.4 s of processor time to say their version, as the code of every command was loaded before it was known
 * which one was wanted. Scripts run them thousands of times.
 */
describe('what a program loads before it knows what to do', () => {
  it('is the flags of its commands: tinymq', async () => {
    const { files, packages } = await loadedBy('tinymq', '--version');
    expect(packages).toEqual(['chalk', 'commander']);
    const commands = files.filter((file) => /^cmd\/tinymq\/[^/]+\//.test(file));
    expect(commands.filter((file) => !/\/(flags|group|completion\/\w+)\.ts$/.test(file))).toEqual([]);
    expect(roomsOf(files)).toEqual(['access', 'errors.ts', 'lib', 'limits', 'topic.ts']);
  });

  it('is no runtime of a broker where a command asks one that runs', async () => {
    const { files } = await loadedBy('tinymq', 'status', '-data-dir', '/nonexistent');
    expect(files).toContain('cmd/tinymq/broker/status.ts');
    const rooms = roomsOf(files);
    for (const room of ['server', 'log', 'doors']) expect(rooms).not.toContain(room);
  });

  it.each(['publisher', 'subscriber'])(
    'is the client without what a WebSocket needs: %s',
    async (program) => {
      const { packages } = await loadedBy(program, '--version');
      expect(packages).toEqual(['chalk', 'commander']);
    },
  );
});

/** The files of the house and the packages that a program loads, from its source. */
async function loadedBy(
  program: string,
  ...argv: string[]
): Promise<{ files: string[]; packages: string[] }> {
  const line = ['--import', TELLING, `cmd/${program}/main.ts`, ...argv];
  const run = promisify(execFile)(process.execPath, line, { cwd: root });
  const { stderr } = await run.catch((error: { stderr: string }) => error);
  const paths = stderr.match(/^file:\/\/.*$/gm)!.map((url) => relative(root, fileURLToPath(url)));
  const packages = paths.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  return {
    files: paths.filter((path) => !path.startsWith('node_modules/')),
    packages: [...new Set(packages)].sort(),
  };
}

/** The rooms below `internal/` that files are in. */
function roomsOf(files: readonly string[]): string[] {
  const rooms = files.flatMap((file) => /^internal\/([^/]+)/.exec(file)?.[1] ?? []);
  return [...new Set(rooms)].sort();
}
