import { printableText } from '../../internal/lib/printable.ts';

/** A column of a table, at least so many characters wide. */
export interface Column {
  title: string;
  minWidth?: number;
}

/** As Kafka's own tools have it. */
const USUAL_WIDTH = 15;

/** Rows under their titles; the last column is as wide as each value is. A value that is missing is shown as `-`. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly (string | number | undefined)[])[],
): string {
  const shown = rows.map((row) =>
    row.map((value) => (value === undefined ? '-' : printableText(String(value)))),
  );
  const widths = columns.map(({ title, minWidth = USUAL_WIDTH }, index) =>
    shown.reduce((widest, row) => Math.max(widest, row[index].length), Math.max(minWidth, title.length)),
  );
  const lines = [columns.map(({ title }) => title), ...shown].map((row) =>
    row.map((value, index) => (index === row.length - 1 ? value : value.padEnd(widths[index]))).join(' '),
  );
  return `${lines.join('\n')}\n`;
}
