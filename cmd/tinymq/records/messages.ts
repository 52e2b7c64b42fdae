import type { RecordHeader } from '../../../internal/batch/record-cursor.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { unescaped } from '../escapes.ts';
import { delimited } from './delimited.ts';
import type { produceProgram } from './flags.ts';
import { delimiterOf, piecesOfFiles } from './pieces.ts';

export type ProduceValues = Values<(typeof produceProgram)['options']>;

/** What is to be sent, but for its time. */
export interface OutgoingMessage {
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly RecordHeader[];
}

/**
 * What the flags say is to be sent: pieces of the standard input, whole files, or pieces of files. Several at a time,
 * as they come; empty pieces are no messages, as in kcat.
 *
 * @throws UsageError before anything is read; Failure where a file cannot be read.
 */
export function messagesOf(
  values: ProduceValues,
  files: readonly string[],
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<OutgoingMessage[]> {
  const delimiter = delimiterOf(values.delimiter);
  const compose = composer(values);
  return messages();

  async function* messages(): AsyncGenerator<OutgoingMessage[]> {
    for await (const pieces of piecesOf()) yield pieces.map(compose);
  }

  async function* piecesOf(): AsyncGenerator<Uint8Array[]> {
    if (files.length === 0) yield* delimited(input, delimiter);
    yield* piecesOfFiles(files, values.lines, delimiter);
  }
}

/** @throws UsageError */
function composer(values: ProduceValues): (piece: Uint8Array) => OutgoingMessage {
  const { 'key-delimiter': separator, key, null: isNullMeant } = values;
  if (separator === '') throw new UsageError('-key-delimiter is at least one character');
  const keyDelimiter = separator === undefined ? undefined : Buffer.from(unescaped(separator));
  const fixedKey = key === undefined ? null : Buffer.from(key);
  const headers = values.header.map(headerOf);
  return (piece) => {
    const at = keyDelimiter === undefined ? -1 : asBuffer(piece).indexOf(keyDelimiter);
    const ownKey = at === -1 ? fixedKey : piece.subarray(0, at);
    const value = at === -1 ? piece : piece.subarray(at + keyDelimiter!.length);
    return { key: nullIfMeant(ownKey), value: nullIfMeant(value), headers };
  };

  function nullIfMeant(bytes: Uint8Array | null): Uint8Array | null {
    return isNullMeant && bytes?.length === 0 ? null : bytes;
  }
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** @throws UsageError */
function headerOf(text: string): RecordHeader {
  const at = text.indexOf('=');
  if (at === 0 || text === '') throw new UsageError(`-header '${text}' has no name`);
  if (at === -1) return { key: text, value: null };
  return { key: text.slice(0, at), value: Buffer.from(text.slice(at + 1)) };
}
