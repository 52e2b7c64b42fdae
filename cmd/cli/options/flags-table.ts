import { alsoCalled } from './help-text.ts';
import type { OptionTable } from './option.ts';
import { type Program, variableOf } from './program.ts';

/**
 * A program's options as a Markdown table, for the documentation.
 *
 * @param chosen the options to show, in this order; all of them unless given.
 */
export function flagsTable(
  program: Program<OptionTable>,
  chosen: readonly string[] = Object.keys(program.options),
): string {
  const rows = chosen.map((name) => {
    const option = program.options[name];
    if (option === undefined) throw new Error(`${program.name} has no flag -${name}`);
    const value = option.placeholder === '' ? '' : ` ${option.placeholder}`;
    const shown = option.defaultText === undefined ? '' : code(option.defaultText);
    const help = `${option.help}${alsoCalled(option)}`;
    return `| ${code(`-${name}${value}`)} | ${code(variableOf(program, name))} | ${shown} | ${cell(help)} |`;
  });
  return ['| flag | environment | default | |', '|---|---|---|---|', ...rows].join('\n');
}

/**
 * A page with its tables written anew: what stands between `<!-- flags:broker -->` and `<!-- /flags -->` is
 * replaced by the table of that program; `<!-- flags:broker (address, listen) -->` has only these flags.
 *
 * @throws Error where a program has no such place in the page, or a place names no program.
 */
export function withFlagsTables(page: string, programs: readonly Program<OptionTable>[]): string {
  const missing = new Map(programs.map((program) => [program.name, program]));
  const written = page.replace(PLACE, (_, name: string, chosen?: string) => {
    const program = missing.get(name);
    if (program === undefined)
      throw new Error(`<!-- flags:${name} --> names no program, or one a second time`);
    missing.delete(name);
    const choice = chosen === undefined ? '' : ` (${chosen})`;
    return `<!-- flags:${name}${choice} -->\n${flagsTable(program, chosen?.split(', '))}\n<!-- /flags -->`;
  });
  const [name] = missing.keys();
  if (name !== undefined) throw new Error(`the page lacks <!-- flags:${name} --> … <!-- /flags -->`);
  return written;
}

const PLACE = /<!-- flags:([^()]+?)(?: \(([^()]+)\))? -->.*?<!-- \/flags -->/gs;

function code(text: string): string {
  return `\`${cell(text)}\``;
}

/** A bar would begin the next cell, even inside code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
