/**
 * Starts the program that the launcher names, unless this runtime is too old for it: then it says so in one line. It is
 * built as a file of its own that Node.js 12 can still read, and nothing else is read before it has looked.
 */
import { pathToFileURL } from 'node:url';
import { runtimeProblem } from '../../internal/lib/runtime.ts';

const EXIT_FAILED = 1;

start(process.argv[2]);

function start(program: string): void {
  const problem = runtimeProblem(process.versions.node);
  if (problem !== undefined) {
    process.stderr.write(`${program}: ${problem}\n`);
    process.exit(EXIT_FAILED);
  }
  passOverExperimentalWarnings();
  const file = `${__dirname}/cmd/${program}.js`;
  // The program finds its own file and its arguments where it would if it had been started itself.
  process.argv.splice(1, 2, file);
  import(pathToFileURL(file).href);
}

/** Node.js calls SQLite experimental; whoever runs a program can do nothing about that. */
function passOverExperimentalWarnings(): void {
  const emitWarning = process.emitWarning as (...parts: unknown[]) => void;
  process.emitWarning = (...parts: unknown[]) => {
    if (parts[1] !== 'ExperimentalWarning') emitWarning.apply(process, parts);
  };
}
