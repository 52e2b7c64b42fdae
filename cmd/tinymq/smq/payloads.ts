import type { Values } from '../../cli/options/option.ts';
import { delimited } from '../records/delimited.ts';
import { delimiterOf, piecesOfFiles } from '../records/pieces.ts';
import type { smqProduceProgram } from './flags.ts';

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
  const delimiter = delimiterOf(values.delimiter);
  return payloads();

  async function* payloads(): AsyncGenerator<Uint8Array[]> {
    if (values.message.length > 0) yield values.message.map((text) => Buffer.from(text));
    else if (files.length === 0) yield* delimited(input, delimiter);
    yield* piecesOfFiles(files, values.lines, delimiter);
  }
}
