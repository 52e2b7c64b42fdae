import { Chalk, type ChalkInstance } from 'chalk';
import { packageVersion } from '../../internal/lib/package-version.ts';
import { systemReason } from '../../internal/lib/system-reason.ts';
import type { OptionTable } from './options/option.ts';
import { type Parsed, parseProgram } from './options/parse-program.ts';
import {
  InformationRequested,
  NoSuchCommand,
  type Program,
  UsageError,
  UsageErrors,
} from './options/program.ts';

/** What a program has to do its work with. */
export interface Invocation<Table extends OptionTable> extends Parsed<Table> {
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the program at once. */
  stop: AbortSignal;
  version: string;
}

/** What a program does; it resolves with its exit code where that is not {@link EXIT_DONE}. */
type Main<Table extends OptionTable> = (invocation: Invocation<Table>) => Promise<void> | Promise<number>;

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** The time was over, as mosquitto's clients say it. */
export const EXIT_TIMEOUT = 27;

/**
 * Runs a program from its command line to its exit code: 0 done, 1 failed, 2 wrong usage. An error is one line, not
 * a stack trace.
 */
export function runProgram<Table extends OptionTable>(
  program: Program<Table>,
  main: Main<Table>,
): Promise<void> {
  return runCommand(command(program, main));
}

/** Runs a program whose command is made already, as {@link runProgram} does. */
export function runCommand(only: Command): Promise<void> {
  const listed = { program: only.program, load: async () => only };
  return runCommands(only.program.name, () => ({ command: listed, argv: process.argv.slice(2) }));
}

/** A program, or one command of it, with what it does. */
export interface Command {
  program: Program<OptionTable>;
  /** @returns the exit code. */
  run(argv: readonly string[], context: Context): Promise<number>;
}

/** A command in a table of many: its flags are known at once, and what it does is loaded when it runs. */
export interface ListedCommand {
  program: Program<OptionTable>;
  load(): Promise<Command>;
}

/** What an invocation has that does not come from its own command line. */
export type Context = Pick<Invocation<OptionTable>, 'stop' | 'version'>;

/** Joins what users see of a program to what it does. */
export function command<Table extends OptionTable>(program: Program<Table>, main: Main<Table>): Command {
  return {
    program,
    async run(argv, context) {
      const code = await main(await invocationOf(program, argv, context));
      return typeof code === 'number' ? code : EXIT_DONE;
    },
  };
}

/** @throws UsageError, InformationRequested. */
export async function invocationOf<Table extends OptionTable>(
  program: Program<Table>,
  argv: readonly string[],
  context: Context,
): Promise<Invocation<Table>> {
  return { ...(await parseProgram(program, argv, process.env, context.version)), ...context };
}

/**
 * Runs one of several commands as {@link runProgram} does with the only one.
 *
 * @param choose finds the command, and what of the command line is its own. It may throw UsageError and
 * InformationRequested.
 */
export async function runCommands(
  name: string,
  choose: (version: string) => { command: ListedCommand; argv: readonly string[] },
): Promise<void> {
  let chosen = name;
  endWhenOutputFails(() => chosen);
  ignoreUserSignals();
  const stop = stopSignal();
  try {
    const { command, argv } = choose(packageVersion);
    chosen = command.program.name;
    await warnOfVariables(chosen);
    const loaded = await command.load();
    process.exitCode = await loaded.run(argv, { stop, version: packageVersion });
  } catch (error) {
    if (stop.aborted && error === stop.reason) {
      // Somebody stopped it on its way, for example while it was still connecting.
      process.exitCode = EXIT_DONE;
    } else if (error instanceof InformationRequested) {
      process.stdout.write(error.message);
    } else if (error instanceof UsageErrors) {
      for (const problem of error.problems) complain(chosen, problem);
      process.exitCode = EXIT_USAGE;
    } else if (error instanceof UsageError) {
      complain(chosen, `${error.message} (see ${chosen} -help)`);
      if (error instanceof NoSuchCommand) process.stderr.write(error.commands);
      process.exitCode = EXIT_USAGE;
    } else {
      complain(chosen, error instanceof Error ? error.message : String(error));
      process.exitCode = EXIT_FAILED;
    }
  }
}

/** Colours for a stream: none where it is no terminal, or where NO_COLOR is set (no-color.org). */
export function coloursFor(stream: NodeJS.WriteStream): ChalkInstance {
  const isColourful = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return new Chalk({ level: isColourful ? 1 : 0 });
}

/** One line to the standard error, about what failed. */
export function complain(name: string, message: string): void {
  process.stderr.write(`${coloursFor(process.stderr).red(`${name}:`)} ${message}\n`);
}

/** The same for what the user should know although the program goes on. */
export function warn(name: string, message: string): void {
  process.stderr.write(`${coloursFor(process.stderr).yellow(`${name}:`)} ${message}\n`);
}

/** Most environments have no variable of ours; only the others need the tables of all programs. */
async function warnOfVariables(name: string): Promise<void> {
  if (!Object.keys(process.env).some((variable) => /^TINYMQ_(?!PROGRAM_FOLDER$)/i.test(variable))) return;
  const { unknownVariables } = await import('./options/unknown-variables.ts');
  for (const sentence of unknownVariables(process.env)) warn(name, sentence);
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(EXIT_FAILED);
      controller.abort();
    });
  }
  return controller.signal;
}

/**
 * Output that does not reach its reader (a full disk, a pipe that was closed) ends the program with one line. The
 * standard error is for people; nobody who reads it is no reason to end.
 */
function endWhenOutputFails(name: () => string): void {
  let hasFailed = false;
  process.stdout.on('error', (error) => {
    if (hasFailed) return;
    hasFailed = true;
    complain(name(), `cannot write to the standard output: ${systemReason(error)}`);
    process.exit(EXIT_FAILED);
  });
  process.stderr.on('error', () => {});
}

/** Left alone, the runtime opens a debugger for anybody on the machine at the first signal, and ends at the second. */
function ignoreUserSignals(): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
}
