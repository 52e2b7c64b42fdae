import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option as CommanderOption } from 'commander';
import type { OptionTable, Values } from './option.ts';

/** A program as its users see it. */
export interface Program<Table extends OptionTable> {
  name: string;
  /** One sentence. */
  summary: string;
  options: Table;
  /** Command lines that show how it is used. */
  examples: readonly string[];
}

/** Wrong usage: one line that says which flag, variable or key, and what is allowed. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Somebody asked for the help or the version; the message is it. Exit code 0. */
export class InformationRequested extends Error {
  override readonly name = 'InformationRequested';
}

/** What a command line says. */
export interface Parsed<Table extends OptionTable> {
  values: Values<Table>;
  /** The options that somebody gave, by flag, environment or file; the others have their defaults. */
  given: ReadonlySet<string>;
}

/**
 * Reads a command line, the environment (`TINYMQ_ADDRESS`) and the file that `-config` names. Flags win over the
 * environment, the environment over the file, the file over defaults.
 *
 * @throws UsageError, InformationRequested.
 */
export function parseProgram<Table extends OptionTable>(
  program: Program<Table>,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): Parsed<Table> {
  const flags = parseFlags(program, argv, version);
  const variables = readEnvironment(program, environment);
  const configFile = (flags.get('config') ?? variables.get('config'))?.texts.at(-1);
  const keys = configFile === undefined ? new Map<string, Given>() : readFile(program, configFile);
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const [name, option] of Object.entries(program.options)) {
    const found = flags.get(name) ?? variables.get(name) ?? keys.get(name);
    if (found !== undefined) given.add(name);
    try {
      values[name] = option.parse(found?.texts ?? []);
    } catch (error) {
      const value = found?.texts.at(-1);
      throw new UsageError(`${found?.where}: '${value}' is not valid: it ${(error as Error).message}`);
    }
  }
  return { values: values as Values<Table>, given };
}

/** The environment variable of a flag. */
export function variableOf(flag: string): string {
  return `TINYMQ_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/** Texts that somebody gave, and where, for the error. */
interface Given {
  texts: string[];
  where: string;
}

function parseFlags(
  program: Program<OptionTable>,
  argv: readonly string[],
  version: string,
): Map<string, Given> {
  const given = new Map<string, Given>();
  const command = commandOf(program, version, (name, value) => {
    const entry = given.get(name);
    if (entry === undefined) given.set(name, { texts: [value], where: `-${name}` });
    else entry.texts.push(value);
  });
  try {
    command.parse(joinValues(program, argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') throw new InformationRequested(command.helpInformation());
    if (error.code === 'commander.version') throw new InformationRequested(`${program.name} ${version}\n`);
    throw new UsageError(oneDash(error.message));
  }
  return given;
}

function commandOf(
  program: Program<OptionTable>,
  version: string,
  take: (name: string, value: string) => void,
): Command {
  const command = new Command(program.name)
    .description(program.summary)
    .usage('[flags]')
    .version(version, '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut() {}, writeErr() {} })
    .configureHelp({
      helpWidth: 110,
      optionTerm: (option) => termOf(option),
      showGlobalOptions: false,
    })
    .addHelpText('after', `\nExamples:\n${program.examples.map((line) => `  ${line}`).join('\n')}\n`);
  for (const [name, option] of Object.entries(program.options)) {
    const shown = option.defaultText === undefined ? '' : ` (default ${option.defaultText})`;
    command.addOption(
      new CommanderOption(`--${name} <${option.placeholder || 'true'}>`, `${option.help}${shown}`)
        .helpGroup(`${option.group}:`)
        .argParser((value: string) => take(name, value)),
    );
  }
  return command;
}

/** Flags have one dash here, as in the original; switches show no value. */
function termOf(option: CommanderOption): string {
  const placeholder = /<(.*)>/.exec(option.flags)?.[1];
  const shown = placeholder === undefined || placeholder === 'true' ? '' : ` ${placeholder}`;
  return `-${option.long!.slice(2)}${shown}`;
}

/**
 * Brings `-topic a`, `--topic a`, `-topic=a` and `-quiet` into the one form `--topic=a`, `--quiet=true`. So a value
 * may begin with a dash, and commander sees no short flags.
 */
function joinValues(program: Program<OptionTable>, argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const parts = /^--?([a-zA-Z][\w-]*)(=.*)?$/s.exec(argv[index]!);
    if (parts === null) {
      joined.push(argv[index]!);
      continue;
    }
    const [, name, value] = parts;
    const option = program.options[name!];
    if (option === undefined) joined.push(name === 'h' ? '-h' : `--${name}${value ?? ''}`);
    else if (value !== undefined) joined.push(`--${name}${value}`);
    else if (option.isSwitch) joined.push(`--${name}=true`);
    else if (index + 1 < argv.length) joined.push(`--${name}=${argv[++index]}`);
    else throw new UsageError(`-${name} needs a value: ${option.placeholder}`);
  }
  return joined;
}

function oneDash(message: string): string {
  return message
    .replace(/^error: /, '')
    .replaceAll('--', '-')
    .replace(/\n/g, ' ')
    .replace(
      'too many arguments. Expected 0 arguments but got',
      'every argument belongs to a flag; unexpected are',
    );
}

function readEnvironment(
  program: Program<OptionTable>,
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [name, option] of Object.entries(program.options)) {
    const where = variableOf(name);
    const value = environment[where];
    if (value === undefined || value === '') continue;
    given.set(name, { texts: option.isList ? value.split(',') : [value], where });
  }
  return given;
}

function readFile(program: Program<OptionTable>, file: string): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [key, value] of Object.entries(readObject(file))) {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (program.options[name] === undefined || name === 'config') {
      throw new UsageError(`${file}: '${key}' is not an option of ${program.name}`);
    }
    const values = Array.isArray(value) ? value : [value];
    if (values.some((item) => !['string', 'number', 'boolean'].includes(typeof item))) {
      throw new UsageError(`${file}: '${key}' is a text, a number, true or false, or a list of them`);
    }
    given.set(name, { texts: values.map(String), where: `${file}: '${key}'` });
  }
  return given;
}

function readObject(file: string): object {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why =
      error instanceof SyntaxError ? `is not JSON: ${error.message}` : (error as NodeJS.ErrnoException).code;
    throw new UsageError(`cannot read ${file}: ${why}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${file} is not a JSON object of options`);
  }
  return content;
}
