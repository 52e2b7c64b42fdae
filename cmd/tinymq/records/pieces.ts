import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { UsageError } from '../../cli/options/program.ts';
import { unescaped } from '../escapes.ts';
import { delimited } from './delimited.ts';

/** What `-delimiter` says. @throws UsageError where it says nothing. */
export function delimiterOf(text: string): Buffer {
  const delimiter = Buffer.from(unescaped(text));
  if (delimiter.length === 0) throw new UsageError('-delimiter is at least one character');
  return delimiter;
}

/**
 * Whole files, or their pieces where they are asked for in lines. Several pieces at a time, as they come.
 *
 * @throws Failure where a file cannot be read.
 */
export async function* piecesOfFiles(
  files: readonly string[],
  areInLines: boolean,
  delimiter: Buffer,
): AsyncGenerator<Uint8Array[]> {
  for (const file of files) {
    try {
      if (areInLines) yield* delimited(createReadStream(file), delimiter);
      else yield [await readFile(file)];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === undefined ? error : new Failure(`cannot read ${file}: ${systemReason(error)}`);
    }
  }
}
