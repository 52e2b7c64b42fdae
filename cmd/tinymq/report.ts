import { Failure } from '../../internal/lib/failure.ts';
import { printableText } from '../../internal/lib/printable.ts';

/** Prints what was done, a line each; nothing where the user wants it quiet. */
export function reporter(isQuiet: boolean): (line: string) => void {
  return (line) => {
    if (!isQuiet) process.stdout.write(`${printableText(line)}\n`);
  };
}

/** Something the user should know that is no result: to the standard error, so that a pipe does not get it. */
export function note(text: string): void {
  process.stderr.write(`${printableText(text)}\n`);
}

/** A number of things for people: `1 topic`, `2,000 topics`. */
export function counted(count: number, noun: string, plural = 's'): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : plural}`;
}

/**
 * Fails with all of these, where there are any: one thing that was refused does not hide another.
 *
 * @throws Failure
 */
export function failTogether(refusals: readonly Error[]): void {
  if (refusals.length > 0) throw new Failure(refusals.map(({ message }) => message).join('; '));
}
