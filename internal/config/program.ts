import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option as CommanderOption } from 'commander';
import { quoted, systemReason } from '../errors.ts';
import type { Option, OptionTable, Values } from './option.ts';

/** A program, or one command of it such as `tinymq topics create`, as its users see it. */
export interface Program<Table extends OptionTable> {
  name: string;
  /** One sentence. */
  summary: string;
  options: Table;
  /** Command lines that show how it is used. */
  examples: readonly string[];
  /** What stands beside the flags; nothing unless said. */
  operands?: Operands;
  /** The flag that names a file of options; `config` unless said. */
  fileFlag?: string;
}

/** Values without a flag. */
export interface Operands {
  /** As in the help: `NAME` or `[GROUP...]`. */
  usage: string;
  /** What they are, in a few words. */
  help: string;
  min: number;
  max: number;
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
  /** Their texts, as they were written. */
  texts: ReadonlyMap<string, readonly string[]>;
  /** The values without a flag, in their order. */
  operands: readonly string[];
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
  const { flags, operands } = parseFlags(program, argv, version);
  const variables = readEnvironment(program, environment);
  const fileFlag = fileFlagOf(program);
  const configFile = (flags.get(fileFlag) ?? variables.get(fileFlag))?.texts.at(-1);
  const keys = configFile === undefined ? new Map<string, Given>() : readFile(program, configFile);
  const values: Record<string, unknown> = {};
  const texts = new Map<string, readonly string[]>();
  for (const [name, option] of Object.entries(program.options)) {
    const found = flags.get(name) ?? variables.get(name) ?? keys.get(name);
    if (found !== undefined) texts.set(name, found.texts);
    try {
      values[name] = option.parse(found?.texts ?? []);
    } catch (error) {
      const value = quoted(found?.texts.at(-1) ?? '');
      throw new UsageError(`${found?.where} ${(error as Error).message}, not ${value}`);
    }
  }
  return { values: values as Values<Table>, given: new Set(texts.keys()), texts, operands };
}

/**
 * The environment variable of a flag: `TINYMQ_COUNT` for a program, `TINYMQ_CONSUME_COUNT` for a command `consume` of
 * one, so that what is set for one command changes no other.
 */
export function variableOf(program: Program<OptionTable>, flag: string): string {
  const [, ...words] = program.name.split(' ');
  const made = ['tinymq', ...words, flag].join('_').toUpperCase().replaceAll('-', '_');
  return optionOf(program, flag)?.variable ?? made;
}

function fileFlagOf(program: Program<OptionTable>): string {
  return program.fileFlag ?? 'config';
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
): { flags: Map<string, Given>; operands: readonly string[] } {
  const given = new Map<string, Given>();
  let information = '';
  const command = commandOf(program, version, (name, value) => {
    const entry = given.get(name);
    if (entry === undefined) given.set(name, { texts: [value], where: `-${name}` });
    else entry.texts.push(value);
  }).configureOutput({
    writeOut(text) {
      information += text;
    },
    writeErr() {},
  });
  try {
    command.parse(joinValues(program, argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new InformationRequested(information);
    throw new UsageError(oneDash(error.message));
  }
  return { flags: given, operands: checkedOperands(program, command.args) };
}

function checkedOperands(program: Program<OptionTable>, found: readonly string[]): readonly string[] {
  const { usage = '', help = '', min = 0, max = 0 } = program.operands ?? {};
  if (found.length < min) throw new UsageError(`${usage} is missing: ${help}`);
  if (found.length <= max) return found;
  const unexpected = `unexpected argument ${quoted(found[max]!)}`;
  throw new UsageError(
    max === 0 ? `${unexpected}: every value stands behind its flag` : `${unexpected} after ${usage}`,
  );
}

function commandOf(
  program: Program<OptionTable>,
  version: string,
  take: (name: string, value: string) => void,
): Command {
  const command = new Command(program.name)
    .description(program.summary)
    .usage([program.operands?.usage, '[flags]'].filter(Boolean).join(' '))
    .version(`${program.name} ${version}`, '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments()
    .exitOverride()
    .configureHelp({
      helpWidth: Math.min(MAX_HELP_COLUMNS, process.stdout.columns ?? MAX_HELP_COLUMNS),
      optionTerm: (option) => termOf(option),
      showGlobalOptions: false,
    })
    .addHelpText('after', `\n${afterword(program)}`);
  for (const [name, option] of Object.entries(program.options)) {
    const aliases = option.aliases.length === 0 ? '' : `; also ${option.aliases.map(dashed).join(', ')}`;
    const shown = option.defaultText === undefined ? '' : ` (default ${option.defaultText})`;
    command.addOption(
      new CommanderOption(`--${name} <${option.placeholder || 'true'}>`, `${option.help}${aliases}${shown}`)
        .helpGroup(`${option.group}:`)
        .argParser((value: string) => take(name, value)),
    );
  }
  return command;
}

const MAX_HELP_COLUMNS = 110;

function afterword(program: Program<OptionTable>): string {
  const fileFlag = fileFlagOf(program);
  return `Examples:
${program.examples.map((line) => `  ${line}`).join('\n')}

Every flag can also be given in the environment (-${fileFlag} as ${variableOf(program, fileFlag)}), and all but -${fileFlag} as keys of
the JSON file that -${fileFlag} names. Flags win over the environment, the environment over the file.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;
}

function dashed(name: string): string {
  return `-${name}`;
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
    if (argv[index] === '--') return [...joined, ...argv.slice(index)];
    const { name: written, value } = flagOf(argv[index]!) ?? {};
    if (written === undefined) {
      joined.push(argv[index]!);
      continue;
    }
    const name = unaliased(program, written);
    const option = optionOf(program, name);
    if (option === undefined) joined.push(name === 'h' ? '-h' : `--${name}`);
    else if (value !== undefined) joined.push(`--${name}${value}`);
    else if (option.isSwitch) joined.push(`--${name}=true`);
    else joined.push(`--${name}=${followingValue(program, name, option, argv[++index])}`);
  }
  return joined;
}

/** `-topic=a` as `topic` and `=a`; undefined where an argument has not the form of a flag. */
function flagOf(argument: string): { name: string; value: string | undefined } | undefined {
  const parts = /^--?([a-zA-Z][\w-]*)(=.*)?$/s.exec(argument);
  return parts === null ? undefined : { name: parts[1]!, value: parts[2] };
}

/** A value may begin with a dash, but one of the program's own flags means that the value was forgotten. */
function followingValue(
  program: Program<OptionTable>,
  name: string,
  option: Option<unknown>,
  next: string | undefined,
): string {
  if (next === undefined) throw new UsageError(`-${name} needs a value: ${option.placeholder}`);
  const flag = flagOf(next)?.name;
  if (flag !== undefined && optionOf(program, unaliased(program, flag)) !== undefined) {
    throw new UsageError(
      `-${name} needs a value: ${option.placeholder}; if ${quoted(next)} is meant: -${name}=${next}`,
    );
  }
  return next;
}

function unaliased(program: Program<OptionTable>, written: string): string {
  const isMeant = ([, option]: [string, Option<unknown>]) => option.aliases.includes(written);
  return Object.entries(program.options).find(isMeant)?.[0] ?? written;
}

function optionOf(program: Program<OptionTable>, name: string): Option<unknown> | undefined {
  return Object.hasOwn(program.options, name) ? program.options[name] : undefined;
}

/** Commander's words, about flags with one dash. */
function oneDash(message: string): string {
  return message
    .replace(/^error: unknown option '--?(.*)'/s, (_, flag: string) => `unknown flag ${quoted(`-${flag}`)}`)
    .replace(/\n\(Did you mean (one of )?(.*)\?\)$/, (_, _several, names: string) => {
      return `; did you mean ${names.replaceAll('--', '-')}?`;
    });
}

function readEnvironment(
  program: Program<OptionTable>,
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [name, option] of Object.entries(program.options)) {
    const where = variableOf(program, name);
    const value = environment[where];
    if (value === undefined || value === '') continue;
    given.set(name, { texts: option.isList ? itemsOf(value) : [value], where });
  }
  return given;
}

function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function readFile(program: Program<OptionTable>, file: string): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [key, value] of Object.entries(readObject(file))) {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = optionOf(program, name);
    if (option === undefined || name === fileFlagOf(program)) {
      throw new UsageError(`${file}: ${quoted(key)} is not an option of ${program.name}`);
    }
    if (Array.isArray(value) && !option.isList) {
      throw new UsageError(`${file}: '${key}' is one value, not a list`);
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
    const why = error instanceof SyntaxError ? `it is not JSON: ${error.message}` : systemReason(error);
    throw new UsageError(`cannot read ${file}: ${why}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${file} is not a JSON object of options`);
  }
  return content;
}
