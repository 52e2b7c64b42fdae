import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { maxImportBytes } from '../../../internal/limits/admin.ts';
import { linesOf } from '../../publisher/lines.ts';

/** Characters of the messages of one request: little enough for a broker that has other work. */
export const REQUEST_CHARACTERS = 4_000_000;

/** A line of a file of JSON lines; what is in it is judged by the broker. */
export interface JsonLine {
  readonly value: object;
  readonly number: number;
  readonly bytes: number;
}

/** @throws Failure where a line is no JSON object, or the file cannot be read. */
export async function* jsonLinesOf(file: string): AsyncGenerator<JsonLine> {
  let number = 0;
  for await (const line of readable(file)) {
    number++;
    yield { value: objectOf(line, `${file}, line ${number}`), number, bytes: line.length };
  }
}

async function* readable(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* linesOf(createReadStream(file), maxImportBytes);
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${file}: a line is longer than a broker takes`);
    throw new Failure(`cannot read ${file}: ${systemReason(error)}`);
  }
}

function objectOf(line: Uint8Array, place: string): object {
  try {
    const value: unknown =
      isUtf8(line) && JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // It is told below.
  }
  throw new Failure(`${place}: it is no JSON object in UTF-8`);
}
