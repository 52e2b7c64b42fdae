import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Values } from '../../../internal/config/option.ts';
import { UsageError } from '../../../internal/config/program.ts';
import type { smqProduceProgram } from '../../../internal/config/tinymq-smq.ts';
import { Failure } from '../../shared/run-program.ts';
import { unescaped } from '../escapes.ts';
import { delimited } from '../records/delimited.ts';

type PayloadValues = Pick<Values<(typeof smqProduceProgram)['options']>, 'message' | 'delimiter' | 'lines'>;

/**
 * What the flags say is to be sent: the messages of the flags, then those of files; of the standard input where there
 * is neither. Several at a time, as they come.
 *
 * @throws UsageError before anything is read; Failure where a file cannot be read.
 */
export function payloadsOf(
  values: PayloadValues,
  files: readonly string[],
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array[]> {
  const delimiter = Buffer.from(unescaped(values.delimiter));
  if (delimiter.length === 0) throw new UsageError('-delimiter is at least one character');
  return payloads();

  async function* payloads(): AsyncGenerator<Uint8Array[]> {
    if (values.message.length > 0) yield values.message.map((text) => Buffer.from(text));
    else if (files.length === 0) yield* delimited(input, delimiter);
    for (const file of files) {
      try {
        if (values.lines) yield* delimited(createReadStream(file), delimiter);
        else yield [await readFile(file)];
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw code === undefined ? error : new Failure(`cannot read ${file}: ${code}`);
      }
    }
  }
}
