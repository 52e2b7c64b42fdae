import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { defineConfig, type Options } from 'tsup';
import { NEEDED_NODE } from './internal/lib/runtime.ts';

/** The programs that are brokers, and those that talk to one. */
const servers = ['broker', 'smq', 'dashmq'];
const tools = ['publisher', 'subscriber', 'tinymq'];

/**
 * How the runtime is started for programs that hold many messages. V8's young generation would grow to 100 MiB under
 * load; with this bound a broker holds a third less after producing at full speed, for some percent of CPU time.
 */
const runtimeFlags: Record<string, string> = Object.fromEntries(
  servers.map((program) => [program, '--max-semi-space-size=8 ']),
);

/**
 * A launcher finds its package through any chain of symbolic links (npm puts such links on the PATH) and
 * prefers the runtime that the lock file pins over the machine's own.
 */
function launcher(program: string): string {
  return `#!/bin/sh
# Starts ${program} of tinymq. Written by the build; changes here are lost.
self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$(dirname "$self")/$target ;;
  esac
done
root=$(cd "$(dirname "$self")/.." && pwd -P)
if [ ! -f "$root/dist/start.cjs" ]; then
  echo "${program}: is not built yet: run make build in $root" >&2
  exit 1
elif [ -x "$root/node_modules/node/bin/node" ]; then
  node=$root/node_modules/node/bin/node
elif command -v node >/dev/null 2>&1; then
  node=node
else
  echo "${program}: needs Node.js ${NEEDED_NODE} or newer: https://nodejs.org" >&2
  exit 1
fi
TINYMQ_PROGRAM_FOLDER=$root/bin
export TINYMQ_PROGRAM_FOLDER
exec "$node" ${runtimeFlags[program] ?? ''}"$root/dist/start.cjs" ${program} "$@"
`;
}

// The build tool still passes an option that this version of TypeScript calls old.
const compilerOptions = { ignoreDeprecations: '6.0' };

/** The files of programs. */
function mainFilesOf(programs: readonly string[]): Record<string, string> {
  return Object.fromEntries(programs.map((name) => [`cmd/${name}`, `cmd/${name}/main.ts`]));
}

/** What apps import in Node, as a module and for `require`. */
const libraries = { embed: 'pkg/embed/index.ts', client: 'pkg/client/index.ts' };

/** How modules for Node are written. */
const nodeModules = {
  format: 'esm',
  target: `node${NEEDED_NODE}`,
  platform: 'node',
  // `node:sqlite` has no name without its protocol.
  removeNodeProtocol: false,
  splitting: true,
} as const satisfies Options;

export default defineConfig([
  {
    ...nodeModules,
    entry: {
      ...mainFilesOf(servers),
      ...libraries,
      'sqlite-worker': 'internal/store/sqlite/sqlite-worker.ts',
      'access-file-worker': 'internal/access/file/access-file-worker.ts',
    },
    dts: { compilerOptions, entry: libraries },
    async onSuccess() {
      mkdirSync('bin', { recursive: true });
      for (const program of [...servers, ...tools]) {
        writeFileSync(`bin/${program}`, launcher(program));
        chmodSync(`bin/${program}`, 0o755);
      }
    },
  },
  // Apart from the brokers: each module that both share would be a file of its own, and a broker starts sooner with few files.
  { ...nodeModules, entry: mainFilesOf(tools) },
  {
    entry: libraries,
    format: 'cjs',
    target: `node${NEEDED_NODE}`,
    platform: 'node',
    removeNodeProtocol: false,
    // The files of threads are found beside the file that starts it.
    shims: true,
  },
  {
    entry: { start: 'cmd/cli/start.ts' },
    format: 'cjs',
    // Older runtimes must be able to read what tells them that they are too old.
    target: 'node12.20',
    platform: 'node',
  },
  {
    entry: { 'client.browser': 'pkg/client/browser.ts' },
    format: ['esm', 'cjs'],
    target: 'es2022',
    platform: 'browser',
    dts: { compilerOptions },
  },
]);
