import { quoted } from '../../../internal/errors.ts';
import { nearest } from '../../../internal/lib/nearest.ts';
import { MAX_HELP_COLUMNS } from './help-text.ts';
import { findOption, type OptionTable } from './option.ts';
import { InformationRequested, NoSuchCommand, type Program, UsageError } from './program.ts';
import { wrapped } from './wrapped.ts';

/** A program of several commands. */
export interface Suite<Command extends { program: Program<OptionTable> }> {
  name: string;
  /** One sentence. */
  summary: string;
  groups: readonly CommandGroup<Command>[];
}

/** Commands about one thing, which mostly begin with the same word. */
export interface CommandGroup<Command> {
  /** The heading in the help. */
  title: string;
  commands: readonly Command[];
}

/**
 * Finds the command that the first words of a command line name, as in `tinymq topics create`. What follows them is
 * the command's own.
 *
 * @throws UsageError where there is no such command; InformationRequested with the list of commands, or the version.
 */
export function chooseCommand<Command extends { program: Program<OptionTable> }>(
  suite: Suite<Command>,
  argv: readonly string[],
  version: string,
): { command: Command; argv: readonly string[] } {
  const early = leadingFlags(suite, argv);
  const [first] = argv.slice(early.length);
  if (first === undefined) throw new NoSuchCommand('a command is missing', namesByGroup(suite));
  if (/^--?version$/.test(first)) throw new InformationRequested(`${suite.name} ${version}\n`);
  const isHelp = first === 'help' || HELP_FLAG.test(first);
  const words = argv.slice(early.length + (isHelp ? 1 : 0));
  const command = commandsOf(suite).find(({ program }) =>
    wordsOf(program).every((word, at) => words[at] === word),
  );
  if (command !== undefined) {
    const rest = words.slice(wordsOf(command.program).length);
    return { command, argv: isHelp ? ['-help'] : [...early, ...rest] };
  }
  const group = groupOf(suite, words);
  const next = words[group.length];
  const asksForGroup = group.length > 0 && (isHelp || next === undefined || HELP_FLAG.test(next));
  if (asksForGroup || (isHelp && next === undefined)) {
    throw new InformationRequested(listing(suite, group));
  }
  throw unknownCommand(suite, group, next);
}

/** A program's commands as a Markdown table, for the documentation. */
export function commandsTable(suite: Suite<{ program: Program<OptionTable> }>): string {
  const rows = commandsOf(suite).map(({ program }) => `| \`${lineOf(program)}\` | ${program.summary} |`);
  return ['| command | |', '|---|---|', ...rows].join('\n');
}

/**
 * A page with the table of a suite's commands written anew, between `<!-- commands:tinymq -->` and
 * `<!-- /commands -->`.
 *
 * @throws Error where the page has no such place.
 */
export function withCommandsTable(page: string, suite: Suite<{ program: Program<OptionTable> }>): string {
  const opening = `<!-- commands:${suite.name} -->`;
  const closing = '<!-- /commands -->';
  const [start, end] = [page.indexOf(opening), page.indexOf(closing)];
  if (start === -1 || end < start) throw new Error(`the page lacks ${opening} … ${closing}`);
  return `${page.slice(0, start)}${opening}\n${commandsTable(suite)}\n${page.slice(end)}`;
}

const HELP_FLAG = /^--?h(elp)?$/;

function commandsOf<Command extends { program: Program<OptionTable> }>(suite: Suite<Command>): Command[] {
  return suite.groups.flatMap(({ commands }) => commands);
}

/** The words that choose a command: all of its name but the program's. */
function wordsOf(program: Program<OptionTable>): string[] {
  return program.name.split(' ').slice(1);
}

function lineOf(program: Program<OptionTable>): string {
  return [program.name, program.operands?.usage].filter(Boolean).join(' ');
}

/** The leading words with which some command begins: of `smq topics rename` the first two. */
function groupOf(suite: Suite<{ program: Program<OptionTable> }>, words: readonly string[]): string[] {
  const isGroup = (length: number) =>
    commandsOf(suite).some(({ program }) => beginsWith(program, words.slice(0, length)));
  let length = 0;
  while (length < words.length && isGroup(length + 1)) length++;
  return words.slice(0, length);
}

function beginsWith(program: Program<OptionTable>, group: readonly string[]): boolean {
  const words = wordsOf(program);
  return group.every((word, at) => words[at] === word);
}

/** The list of the commands of a group; of all without one. */
function listing(suite: Suite<{ program: Program<OptionTable> }>, group: readonly string[]): string {
  const groups = suite.groups
    .map(({ title, commands }) => ({
      title,
      programs: commands.map(({ program }) => program).filter((program) => beginsWith(program, group)),
    }))
    .filter(({ programs }) => programs.length > 0);
  const width = Math.max(
    ...groups.flatMap(({ programs }) => programs.map((program) => lineOf(program).length)),
  );
  const sections = groups.map(({ title, programs }) => {
    const lines = programs.map((program) => {
      const summary = wrapped(program.summary, MAX_HELP_COLUMNS - width - 4);
      return `  ${lineOf(program).padEnd(width)}  ${summary.join(`\n${' '.repeat(width + 4)}`)}`;
    });
    return `${title}:\n${lines.join('\n')}\n`;
  });
  return `Usage: ${[suite.name, ...group].join(' ')} COMMAND [flags]

${wrapped(suite.summary, MAX_HELP_COLUMNS).join('\n')}

${sections.join('\n')}
${suite.name} COMMAND -help shows the flags of a command, with examples.
`;
}

function unknownCommand(
  suite: Suite<{ program: Program<OptionTable> }>,
  group: readonly string[],
  next = '',
): UsageError {
  if (next.startsWith('-')) {
    return new UsageError(`unknown flag ${quoted(next)} before the command; flags of a command follow it`);
  }
  const programs = commandsOf(suite)
    .map(({ program }) => program)
    .filter((program) => beginsWith(program, group));
  const known = [...new Set(programs.map((program) => wordsOf(program)[group.length]))];
  const near = nearest(next, known);
  const meant =
    near === undefined
      ? programs.map((program) => wordsOf(program)).filter((words) => words.at(-1) === next)
      : [[...group, near]];
  const unknown = `unknown command ${quoted([...group, next].join(' '))}`;
  if (meant.length > 0) {
    return new UsageError(`${unknown}; did you mean ${meant.map((words) => words.join(' ')).join(' or ')}?`);
  }
  if (group.length === 0) return new NoSuchCommand(unknown, namesByGroup(suite));
  return new UsageError(`${unknown}; the commands are ${[...group, known.join(', ')].join(' ')}`);
}

/** The first words of all commands, a paragraph for each group. */
function namesByGroup(suite: Suite<{ program: Program<OptionTable> }>): string {
  const paragraphs = suite.groups.map(({ title, commands }) => {
    const names = new Set(commands.map(({ program }) => wordsOf(program)[0]));
    const lines = wrapped(`${title}: ${[...names].join(', ')}`, MAX_HELP_COLUMNS - 4);
    return `  ${lines.join('\n    ')}\n`;
  });
  return paragraphs.join('');
}

/** The flags of any command that stand before the command's name, with their values. */
function leadingFlags(suite: Suite<{ program: Program<OptionTable> }>, argv: readonly string[]): string[] {
  let length = 0;
  for (;;) {
    const parts = /^--?([a-zA-Z][\w-]*)(=.*)?$/s.exec(argv[length] ?? '');
    const option = parts === null ? undefined : optionOfAny(suite, parts[1]);
    if (option === undefined) return argv.slice(0, length);
    length += option.isSwitch || parts![2] !== undefined ? 1 : 2;
  }
}

function optionOfAny(suite: Suite<{ program: Program<OptionTable> }>, written: string) {
  for (const { program } of commandsOf(suite)) {
    const found = findOption(program.options, written);
    if (found !== undefined) return found.option;
  }
  return undefined;
}
