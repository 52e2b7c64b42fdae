import { Command, CommanderError, Option as CommanderOption } from 'commander';
import { quoted } from '../../../internal/errors.ts';
import { nearest } from '../../../internal/lib/nearest.ts';
import { afterword, alsoCalled, helpColumns, itemText, TERM_COLUMNS, termOf } from './help-text.ts';
import { joinValues } from './join-values.ts';
import type { OptionTable } from './option.ts';
import {
  type Given,
  InformationRequested,
  optionOf,
  type Program,
  UsageError,
  variableOf,
} from './program.ts';

/**
 * Reads the flags and operands of a command line.
 *
 * @throws UsageError, InformationRequested.
 */
export function parseCommandLine(
  program: Program<OptionTable>,
  argv: readonly string[],
  version: string,
): { flags: Map<string, Given>; operands: readonly string[] } {
  const given = new Map<string, Given>();
  const { joined, before, written } = joinValues(program, argv);
  let information = '';
  const command = commandOf(program, version, (name, value) => {
    const entry = given.get(name);
    const where = `-${written.get(name) ?? name}`;
    if (entry === undefined) given.set(name, { texts: [value], where, from: { kind: 'flag', at: where } });
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
    const elsewhere = flagOfElsewhere(program, error);
    if (elsewhere !== undefined) throw new UsageError(elsewhere);
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

/** What to say of a flag that its user knows from another program. */
function flagOfElsewhere({ elsewhere = {} }: Program<OptionTable>, { message }: Error): string | undefined {
  const flag = /unknown option '--?([^'=]*)/.exec(message)?.[1];
  if (flag === undefined || !Object.hasOwn(elsewhere, flag)) return undefined;
  return `-${flag} is not a flag here: ${elsewhere[flag]}`;
}

/** Commander's words, about flags with one dash. */
function oneDash(message: string): string {
  return message
    .replace(/^error: unknown option '--?(.*)'/s, (_, flag: string) => `unknown flag ${quoted(`-${flag}`)}`)
    .replace(/\n\(Did you mean (one of )?(.*)\?\)$/, (_, _several, names: string) => {
      return `; did you mean ${names.replaceAll('--', '-')}?`;
    });
}
