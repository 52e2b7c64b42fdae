import { quoted } from '../errors.ts';
import type { OptionTable } from './option.ts';
import { InformationRequested, type Program, UsageError } from './program.ts';

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
  const [first] = argv;
  if (first === undefined) throw new UsageError('which command?');
  if (/^--?version$/.test(first)) throw new InformationRequested(`${suite.name} ${version}\n`);
  const isHelp = first === 'help' || HELP_FLAG.test(first);
  const words = isHelp ? argv.slice(1) : argv;
  const command = commandsOf(suite).find(({ program }) =>
    wordsOf(program).every((word, at) => words[at] === word),
  );
  if (command !== undefined) {
    const rest = words.slice(wordsOf(command.program).length);
    return { command, argv: isHelp ? ['-help'] : rest };
  }
  const [group, second] = words;
  const isGroup =
    group !== undefined && commandsOf(suite).some(({ program }) => wordsOf(program)[0] === group);
  if (isGroup && (isHelp || second === undefined || HELP_FLAG.test(second))) {
    throw new InformationRequested(listing(suite, group));
  }
  if (isHelp && group === undefined) throw new InformationRequested(listing(suite));
  throw unknownCommand(suite, words, isGroup);
}

/** A program's commands as a Markdown table, for the README. */
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

/** The list of all commands, or of those that begin with a word. */
function listing(suite: Suite<{ program: Program<OptionTable> }>, word?: string): string {
  const groups = suite.groups
    .map(({ title, commands }) => ({
      title,
      programs: commands
        .map(({ program }) => program)
        .filter((program) => word === undefined || wordsOf(program)[0] === word),
    }))
    .filter(({ programs }) => programs.length > 0);
  const width = Math.max(
    ...groups.flatMap(({ programs }) => programs.map((program) => lineOf(program).length)),
  );
  const sections = groups.map(({ title, programs }) => {
    const lines = programs.map((program) => `  ${lineOf(program).padEnd(width)}  ${program.summary}`);
    return `${title}:\n${lines.join('\n')}\n`;
  });
  return `Usage: ${suite.name} ${word ?? ''}${word === undefined ? '' : ' '}COMMAND [flags]

${suite.summary}

${sections.join('\n')}
${suite.name} COMMAND -help shows the flags of a command, with examples.
`;
}

function unknownCommand(
  suite: Suite<{ program: Program<OptionTable> }>,
  words: readonly string[],
  isGroup: boolean,
): UsageError {
  const [first, second] = words;
  if (isGroup) {
    const known = commandsOf(suite)
      .map(({ program }) => wordsOf(program))
      .filter(([group]) => group === first)
      .map(([, command]) => command);
    return new UsageError(`${quoted(second!)} is none of ${suite.name} ${first} ${known.join('|')}`);
  }
  if (first?.startsWith('-'))
    return new UsageError(`the command comes first, then its flags, not ${quoted(first)}`);
  const known = new Set(commandsOf(suite).map(({ program }) => wordsOf(program)[0]));
  return new UsageError(`${quoted(first ?? '')} is none of ${[...known].join(', ')}`);
}
