import { printableText } from '../../internal/lib/printable.ts';
import { cutToWidth, padToWidth, textWidth } from '../../internal/lib/text-width.ts';

/** A column of a table, at least so many characters wide. */
export interface Column {
  title: string;
  minWidth?: number;
  /** Numbers stand under each other by their ends. */
  isNumber?: boolean;
}

/** As Kafka's own tools have it. */
const USUAL_WIDTH = 15;
/** A column is not cut to less: two characters and the mark that it was cut. */
const LEAST_CUT_WIDTH = 3;

/**
 * Rows under their titles. A value that is missing is shown as `-`. On a terminal the widest columns are cut, so that no line is
 * longer than that is wide.
 *
 * @param maxWidth columns of the terminal; undefined for a pipe, which gets everything.
 */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly (string | number | undefined)[])[],
  maxWidth: number | undefined = widthOfTerminal(),
): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map((value) => (value === undefined ? '-' : printableText(String(value))))),
  ];
  const needed = columns.map((_, index) => Math.max(...lines.map((line) => textWidth(line[index]!))));
  const wanted = needed.map((width, index) => Math.max(width, columns[index]!.minWidth ?? USUAL_WIDTH));
  // The last column has nothing behind it that its room would keep in line.
  wanted[wanted.length - 1] = needed.at(-1)!;
  const widths = maxWidth === undefined ? wanted : fitted(wanted, needed, maxWidth);
  return `${lines.map((line) => lineText(line, columns, widths, maxWidth)).join('\n')}\n`;
}

/** Undefined where the standard output is no terminal. */
export function widthOfTerminal(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

function lineText(
  line: readonly string[],
  columns: readonly Column[],
  widths: readonly number[],
  maxWidth = Number.POSITIVE_INFINITY,
): string {
  const cells = line.map((value, index) => {
    const width = widths[index]!;
    const shown = cutToWidth(value, width);
    if (columns[index]!.isNumber) return ' '.repeat(width - textWidth(shown)) + shown;
    return index === line.length - 1 ? shown : padToWidth(shown, width);
  });
  return cutToWidth(cells.join(' '), maxWidth);
}

/** Widths that fit: first without room that no value needs, then the widest columns are cut until all have one width. */
function fitted(wanted: readonly number[], needed: readonly number[], maxWidth: number): number[] {
  const room = maxWidth - (wanted.length - 1);
  if (sum(wanted) <= room) return [...wanted];
  const widths = [...needed];
  for (let excess = sum(widths) - room; excess > 0; ) {
    const widest = Math.max(...widths);
    if (widest <= LEAST_CUT_WIDTH) break;
    const next = Math.max(LEAST_CUT_WIDTH, ...widths.filter((width) => width < widest));
    const cut = widths.flatMap((width, index) => (width === widest ? [index] : []));
    const each = Math.min(widest - next, Math.ceil(excess / cut.length));
    for (const index of cut) {
      const less = Math.min(each, excess);
      widths[index]! -= less;
      excess -= less;
    }
  }
  return widths;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
