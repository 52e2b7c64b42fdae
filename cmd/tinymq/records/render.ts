import { contentForm } from '../../../internal/batch/record-form.ts';
import type { ConsumedRecord } from '../../../internal/clients/kafka/reader.ts';
import { jsonLine, printable } from '../../../internal/lib/printable.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { unescaped } from '../escapes.ts';
import type { consumeProgram } from './flags.ts';

type RenderValues = Pick<
  Values<(typeof consumeProgram)['options']>,
  'format' | 'delimiter' | 'key-delimiter' | 'null' | 'json'
>;

/** The pieces of what is printed for a record. */
export type Renderer = (record: ConsumedRecord) => readonly (string | Uint8Array)[];

/**
 * How records are printed.
 *
 * @param isTerminal whether control characters have to be shown instead of sent.
 * @throws UsageError where the flags contradict each other or the template is wrong.
 */
export function rendererOf(values: RenderValues, isTerminal: boolean): Renderer {
  const { format, json, delimiter } = values;
  const keyDelimiter = values['key-delimiter'];
  if (json && format !== undefined) throw new UsageError('-format and -json do not go together');
  if (json) return (record) => [envelope(record)];
  const show = isTerminal ? printable : (bytes: Uint8Array) => bytes;
  const nothing = values.null ? 'NULL' : '';
  const shown = (bytes: Uint8Array | null) => (bytes === null ? nothing : show(bytes));
  if (format !== undefined) return template(format, shown);
  const end = unescaped(delimiter);
  if (keyDelimiter === undefined) return ({ value }) => [shown(value), end];
  const between = unescaped(keyDelimiter);
  return ({ key, value }) => [shown(key), between, shown(value), end];
}

type Show = (bytes: Uint8Array | null) => string | Uint8Array;
type Field = (record: ConsumedRecord, show: Show) => string | Uint8Array;

const FIELDS: Record<string, Field | undefined> = {
  s: ({ value }, show) => show(value),
  S: ({ value }) => String(value?.length ?? -1),
  R: ({ value }) => bigEndian(value?.length ?? -1),
  k: ({ key }, show) => show(key),
  K: ({ key }) => String(key?.length ?? -1),
  o: ({ offset }) => String(offset),
  p: ({ partition }) => String(partition),
  t: ({ topic }) => topic,
  T: ({ timestamp }) => String(timestamp),
  h: (record, show) => headersText(record, show),
  '%': () => '%',
};

function template(format: string, show: Show): Renderer {
  const parts: (string | Field)[] = [];
  for (const [piece] of format.matchAll(/%.?|[^%]+/gsu)) {
    if (piece[0] !== '%') {
      parts.push(unescaped(piece));
      continue;
    }
    const field = FIELDS[piece.slice(1)];
    if (field === undefined) {
      throw new UsageError(`-format: '${piece}' is not one of %s %S %R %k %K %o %p %t %T %h %%`);
    }
    parts.push(field);
  }
  return (record) => parts.map((part) => (typeof part === 'string' ? part : part(record, show)));
}

function bigEndian(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function headersText({ headers }: ConsumedRecord, show: Show): string | Uint8Array {
  const pieces = headers.flatMap(({ key, value }, index) => [
    `${index === 0 ? '' : ','}${key}=`,
    value === null ? 'NULL' : show(value),
  ]);
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
}

/** The form of a record, and which broker it came from. */
function envelope(record: ConsumedRecord): string {
  const { topic, partition, offset, timestampType, timestamp, brokerId } = record;
  return jsonLine({
    ...{ topic, partition, offset },
    tstype: timestampType === 'create' ? 'create' : 'logappend',
    ...{ ts: timestamp, broker: brokerId },
    ...contentForm(record),
  });
}
