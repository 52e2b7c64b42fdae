import { printableText } from '../../../internal/lib/printable.ts';
import { tableText } from '../table.ts';

export { itemsOf as split } from '../../cli/options/items.ts';

/** The result for programs. */
export function print(result: unknown): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** Says what was done: as JSON, in words, or not at all. */
export function report(values: { json: boolean; quiet: boolean }, result: object, said: string): void {
  if (values.json) print(result);
  else if (!values.quiet) process.stdout.write(`${printableText(said)}\n`);
}

/** Prints rows under their titles; on a terminal no line is longer than that is wide. */
export function printTable(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  const columns = titles.map((title) => ({ title, minWidth: 0 }));
  process.stdout.write(tableText(columns, rows));
}
