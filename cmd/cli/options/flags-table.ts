import type { OptionTable } from './option.ts';
import { alsoCalled, type Program, variableOf } from './program.ts';

/** A program's options as a Markdown table, for the README. */
export function flagsTable(program: Program<OptionTable>): string {
  const rows = Object.entries(program.options).map(([name, option]) => {
    const value = option.placeholder === '' ? '' : ` ${option.placeholder}`;
    const shown = option.defaultText === undefined ? '' : code(option.defaultText);
    const help = `${option.help}${alsoCalled(option)}`;
    return `| ${code(`-${name}${value}`)} | ${code(variableOf(program, name))} | ${shown} | ${cell(help)} |`;
  });
  return ['| flag | environment | default | |', '|---|---|---|---|', ...rows].join('\n');
}

/**
 * A page with its tables written anew: what stands between `<!-- flags:broker -->` and `<!-- /flags -->` is
 * replaced by the table of that program.
 *
 * @throws Error where a program has no such place in the page, or a place names no program.
 */
export function withFlagsTables(page: string, programs: readonly Program<OptionTable>[]): string {
  const missing = new Map(programs.map((program) => [program.name, program]));
  const written = page.replace(/<!-- flags:(.+?) -->.*?<!-- \/flags -->/gs, (_, name: string) => {
    const program = missing.get(name);
    if (program === undefined)
      throw new Error(`<!-- flags:${name} --> names no program, or one a second time`);
    missing.delete(name);
    return `<!-- flags:${name} -->\n${flagsTable(program)}\n<!-- /flags -->`;
  });
  const [name] = missing.keys();
  if (name !== undefined) throw new Error(`the page lacks <!-- flags:${name} --> … <!-- /flags -->`);
  return written;
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

/** A bar would begin the next cell, even inside code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
