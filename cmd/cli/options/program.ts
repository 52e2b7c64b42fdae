import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option as CommanderOption } from 'commander';
import { quoted } from '../../../internal/errors.ts';
import { nearest, suggestion } from '../../../internal/lib/nearest.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { findOption, type Option, type OptionTable, type Values, wordsFor } from './option.ts';
import { wrapped } from './wrapped.ts';

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
  /** The flag that a value without one most likely belongs to. */
  mainFlag?: string;
}

/** Values without a flag. */
export interface Operands {
  /** As in the help: `NAME` or `[GROUP...]`. */
  usage: string;
  /** What they are, in a few words. */
  help: string;
  min: number;
  max: number;
  /** Whether a word can be meant as one of them; all can unless said. */
  isLikely?: (word: string) => boolean;
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

/** All variables that an option can be set by; the first one is the one to show. */
export function variablesOf(program: Program<OptionTable>, name: string): string[] {
  return wordsFor(name, program.options[name]).map((word) => variableOf(program, word));
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
  const { joined, before, written } = joinValues(program, argv);
  let information = '';
  const command = commandOf(program, version, (name, value) => {
    const entry = given.get(name);
    if (entry === undefined) given.set(name, { texts: [value], where: `-${written.get(name) ?? name}` });
    else entry.texts.push(value);
  }).configureOutput({
    writeOut(text) {
      information += text;
    },
    writeErr() {},
  });
  try {
    command.parse(joined, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new InformationRequested(information);
    throw new UsageError(oneDash(error.message));
  }
  return { flags: given, operands: checkedOperands(program, command.args, before) };
}

/** @param before the flag that stands right before each of them, where it had no use for the word. */
function checkedOperands(
  program: Program<OptionTable>,
  found: readonly string[],
  before: readonly (string | undefined)[],
): readonly string[] {
  const { usage = '', help = '', min = 0, max = 0, isLikely = () => true } = program.operands ?? {};
  if (found.length < min) throw new UsageError(`${usage} is missing: ${help}`);
  const stray = found.length > max ? max : found.findIndex((word) => !isLikely(word));
  if (stray === -1) return found;
  const word = found[stray];
  throw new UsageError(`unexpected argument ${quoted(word)}${hintFor(program, word, before[stray])}`);
}

/** What to write instead of a word that stands where none belongs. */
function hintFor(program: Program<OptionTable>, word: string, flag: string | undefined): string {
  const option = flag === undefined ? undefined : optionOf(program, flag);
  if (option?.isSwitch && /^(true|false|yes|no|on|off|0|1)$/i.test(word)) {
    return `: the value of a switch has = before it, as in -${flag}=${word}`;
  }
  if (option?.isList) return `: each value has its flag before it, as in -${flag} A -${flag} B`;
  const near = nearest(word.replace(/^-+/, ''), Object.keys(program.options));
  if (near !== undefined) return `; did you mean -${near}?`;
  if (optionOf(program, 'address') !== undefined && /:\d+$|:\/\//.test(word)) {
    return `; did you mean -address ${quoted(word)}?`;
  }
  if (program.mainFlag !== undefined) return `; did you mean -${program.mainFlag} ${quoted(word)}?`;
  return program.operands === undefined
    ? ': every value stands behind its flag'
    : ` after ${program.operands.usage}`;
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
      helpWidth: helpColumns(),
      optionTerm: (option) => termOf(option),
      showGlobalOptions: false,
      padWidth: () => TERM_COLUMNS,
      formatItem: (term, _width, description) => itemText(term, description),
    })
    .addHelpText('after', `\n${afterword(program)}`);
  for (const [name, option] of Object.entries(program.options)) {
    const shown = option.defaultText === undefined ? '' : ` (default ${option.defaultText})`;
    const help = `${option.help}${alsoCalled(option)}${shown} [${variableOf(program, name)}]`;
    command.addOption(
      new CommanderOption(`--${name} <${option.placeholder || 'true'}>`, help)
        .helpGroup(`${option.group}:`)
        .argParser((value: string) => take(name, value)),
    );
  }
  return command;
}

/** What every terminal has; longer lines are hard to read anyway. */
export const MAX_HELP_COLUMNS = 80;

/** Of the flags; a longer one has a line for itself. */
const TERM_COLUMNS = 28;

function helpColumns(): number {
  return Math.min(MAX_HELP_COLUMNS, process.stdout.columns ?? MAX_HELP_COLUMNS);
}

/** A flag, and beside it in a column of its own what it means. */
function itemText(term: string, description: string): string {
  const margin = ' '.repeat(TERM_COLUMNS + 4);
  const lines = wrapped(description, helpColumns() - margin.length);
  const beginning = term.length > TERM_COLUMNS ? `  ${term}\n${margin}` : `  ${term}`.padEnd(margin.length);
  return `${beginning}${lines.join(`\n${margin}`)}`;
}

function afterword(program: Program<OptionTable>): string {
  const fileFlag = fileFlagOf(program);
  return `Examples:
${program.examples.map(exampleText).join('\n')}

Every flag can also be set by the environment variable in brackets, and all but
-${fileFlag} by a key of the JSON file that -${fileFlag} names. Flags win over the
environment, the environment over the file.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;
}

/** A command line, broken before a flag where it is too long. */
function exampleText(line: string): string {
  if (line.length + 2 <= MAX_HELP_COLUMNS) return `  ${line}`;
  const at = line.lastIndexOf(' -', MAX_HELP_COLUMNS - 4);
  return `  ${line.slice(0, at)} \\\n    ${line.slice(at + 1)}`;
}

/** The other names of a flag, to be put behind its help. */
export function alsoCalled({ aliases }: Option<unknown>): string {
  return aliases.length === 0 ? '' : `; also ${aliases.map((alias) => `-${alias}`).join(', ')}`;
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
 *
 * @returns also the flag that stands right before each word that is no value of a flag, and how each flag was last written.
 */
function joinValues(
  program: Program<OptionTable>,
  argv: readonly string[],
): { joined: string[]; before: (string | undefined)[]; written: Map<string, string> } {
  const joined: string[] = [];
  const names = new Map<string, string>();
  const before: (string | undefined)[] = [];
  let last: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    if (argv[index] === '--') {
      return { joined: [...joined, ...argv.slice(index)], before, written: names };
    }
    const { name: written, value } = flagOf(argv[index]) ?? {};
    if (written === undefined) {
      joined.push(argv[index]);
      before.push(last);
      last = undefined;
      continue;
    }
    const { name, option } = findOption(program.options, written) ?? { name: written };
    last = name;
    names.set(name, written);
    if (option === undefined) joined.push(name === 'h' ? '-h' : `--${name}`);
    else if (value !== undefined) joined.push(`--${name}${value}`);
    else if (option.isSwitch) joined.push(`--${name}=true`);
    else joined.push(`--${name}=${followingValue(program, name, option, argv[++index])}`);
  }
  return { joined, before, written: names };
}

/** `-topic=a` as `topic` and `=a`; undefined where an argument has not the form of a flag. */
function flagOf(argument: string): { name: string; value: string | undefined } | undefined {
  const parts = /^--?([a-zA-Z][\w-]*)(=.*)?$/s.exec(argument);
  return parts === null ? undefined : { name: parts[1], value: parts[2] };
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
  if (flag !== undefined && findOption(program.options, flag) !== undefined) {
    throw new UsageError(
      `-${name} needs a value: ${option.placeholder}; if ${quoted(next)} is meant: -${name}=${next}`,
    );
  }
  return next;
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
    const [where, other] = variablesOf(program, name).filter((variable) => environment[variable]);
    if (where === undefined) continue;
    if (other !== undefined) throw new UsageError(`${where} and ${other} are names of the same option`);
    const value = environment[where]!;
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
    const written = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const { name, option } = findKey(program, written) ?? {};
    if (name === undefined || option === undefined) {
      const known = Object.keys(program.options).filter((flag) => flag !== fileFlagOf(program));
      const hint = suggestion(written, known);
      throw new UsageError(`${file}: ${quoted(key)} is not an option of ${program.name}${hint}`);
    }
    if (Array.isArray(value) && !option.isList) {
      throw new UsageError(`${file}: '${key}' is one value, not a list`);
    }
    const values = Array.isArray(value) ? value : [value];
    if (values.some((item) => !['string', 'number', 'boolean'].includes(typeof item))) {
      throw new UsageError(`${file}: '${key}' is a text, a number, true or false, or a list of them`);
    }
    const other = given.get(name);
    if (other !== undefined) throw new UsageError(`${other.where} and '${key}' are names of the same option`);
    given.set(name, { texts: values.map(String), where: `${file}: '${key}'` });
  }
  return given;
}

/** The option that a key of a file names; a letter is no key, nor is the flag that names the file. */
function findKey(program: Program<OptionTable>, written: string): ReturnType<typeof findOption> {
  const found = findOption(program.options, written);
  if (found === undefined || found.name === fileFlagOf(program)) return undefined;
  return wordsFor(found.name, found.option).includes(written) ? found : undefined;
}

function readObject(file: string): object {
  let content: unknown;
  try {
    // Some editors begin every file with a mark of the byte order.
    content = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    const why = error instanceof SyntaxError ? `it is not JSON: ${error.message}` : systemReason(error);
    throw new UsageError(`cannot read ${file}: ${why}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${file} is not a JSON object of options`);
  }
  return content;
}
