import { printableText } from '../shared/printable.ts';
import { Failure } from '../shared/run-program.ts';

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

/**
 * Fails with all of these, where there are any: one thing that was refused does not hide another.
 *
 * @throws Failure
 */
export function failTogether(refusals: readonly Error[]): void {
  if (refusals.length > 0) throw new Failure(refusals.map(({ message }) => message).join('; '));
}
