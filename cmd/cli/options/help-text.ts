import type { Option as CommanderOption } from 'commander';
import { type Option, type OptionTable, otherNamesOf } from './option.ts';
import { fileFlagOf, type Program } from './program.ts';
import { wrapped } from './wrapped.ts';

/** What every terminal has; longer lines are hard to read anyway. */
export const MAX_HELP_COLUMNS = 80;

/** Of the flags; a longer one has a line for itself. */
export const TERM_COLUMNS = 28;

export function helpColumns(): number {
  return Math.min(MAX_HELP_COLUMNS, process.stdout.columns ?? MAX_HELP_COLUMNS);
}

/** A flag, and beside it in a column of its own what it means. */
export function itemText(term: string, description: string): string {
  const margin = ' '.repeat(TERM_COLUMNS + 4);
  const lines = wrapped(description, helpColumns() - margin.length);
  const beginning = term.length > TERM_COLUMNS ? `  ${term}\n${margin}` : `  ${term}`.padEnd(margin.length);
  return `${beginning}${lines.join(`\n${margin}`)}`;
}

/** What stands below the flags. */
export function afterword(program: Program<OptionTable>): string {
  const fileFlag = fileFlagOf(program);
  return `Examples:
${program.examples.map(exampleText).join('\n')}

Every flag can also be set by the environment variable in brackets, and all but
-${fileFlag} by a key of the YAML or JSON file that -${fileFlag} names. Flags win
over the environment, the environment over the file.
Exit codes: 0 done, 1 failed, 2 wrong usage${program.exitCodes ?? ''}.
`;
}

/** A command line, broken before a flag where it is too long. */
function exampleText(line: string): string {
  if (line.length + 2 <= MAX_HELP_COLUMNS) return `  ${line}`;
  const at = line.lastIndexOf(' -', MAX_HELP_COLUMNS - 4);
  return `  ${line.slice(0, at)} \\\n    ${line.slice(at + 1)}`;
}

/** The other names of a flag, to be put behind its help. */
export function alsoCalled(option: Option<unknown>): string {
  const names = otherNamesOf(option);
  return names.length === 0 ? '' : `; also ${names.map((name) => `-${name}`).join(', ')}`;
}

/** Flags have one dash here, as in the original; switches show no value. */
export function termOf(option: CommanderOption): string {
  const placeholder = /<(.*)>/.exec(option.flags)?.[1];
  const shown = placeholder === undefined || placeholder === 'true' ? '' : ` ${placeholder}`;
  return `-${option.long!.slice(2)}${shown}`;
}
