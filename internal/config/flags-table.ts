import type { OptionTable } from './option.ts';
import { type Program, variableOf } from './program.ts';

/** A program's options as a Markdown table, for the README. */
export function flagsTable(program: Program<OptionTable>): string {
  const rows = Object.entries(program.options).map(([name, option]) => {
    const flag = `\`-${name}${option.placeholder === '' ? '' : ` ${option.placeholder.replaceAll('|', '\\|')}`}\``;
    const shown = option.defaultText === undefined ? '' : `\`${option.defaultText}\``;
    return `| ${flag} | \`${variableOf(name)}\` | ${shown} | ${option.help.replaceAll('|', '\\|')} |`;
  });
  return ['| flag | environment | default | |', '|---|---|---|---|', ...rows].join('\n');
}
