import { printableText } from '../../../internal/lib/printable.ts';

/** Prints what is known of one thing, a line each; a list has a line for each item. What is undefined is left out. */
export function printFacts(
  facts: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): void {
  const width = Math.max(...Object.keys(facts).map((name) => name.length)) + 2;
  const lines = Object.entries(facts).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const values = typeof value === 'object' ? value : [String(value)];
    return values.map((each, index) => `${(index === 0 ? name : '').padEnd(width)}${printableText(each)}`);
  });
  process.stdout.write(`${lines.join('\n')}\n`);
}
