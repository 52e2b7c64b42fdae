import { isUtf8 } from 'node:buffer';
import { jsonLine, printable } from '../../../internal/lib/printable.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { unescaped } from '../escapes.ts';
import type { smqBulkProgram } from './flags.ts';

/** A message of a topic as SMQ gives it. */
export interface SmqMessage {
  topic: string;
  message: Uint8Array;
  offset: bigint;
}

/** The pieces of what is printed for a message. */
export type SmqRenderer = (message: SmqMessage) => readonly (string | Uint8Array)[];

/**
 * How messages are printed.
 *
 * @param isTerminal whether control characters have to be shown instead of sent.
 * @throws UsageError where the flags contradict each other or the template is wrong.
 */
export function rendererOf(
  {
    format,
    delimiter,
    json,
  }: Pick<Values<(typeof smqBulkProgram)['options']>, 'format' | 'delimiter' | 'json'>,
  isTerminal: boolean,
): SmqRenderer {
  if (json && format !== undefined) throw new UsageError('-format and -json do not go together');
  if (json) return (message) => [jsonOf(message)];
  const show: Show = isTerminal ? printable : (bytes) => bytes;
  if (format !== undefined) return template(format, show);
  const end = unescaped(delimiter);
  return ({ message }) => [show(message), end];
}

type Show = (bytes: Uint8Array) => string | Uint8Array;
type Field = (message: SmqMessage, show: Show) => string | Uint8Array;

const FIELDS: Record<string, Field | undefined> = {
  s: ({ message }, show) => show(message),
  S: ({ message }) => String(message.length),
  o: ({ offset }) => String(offset),
  t: ({ topic }) => topic,
  '%': () => '%',
};

function template(format: string, show: Show): SmqRenderer {
  const parts: (string | Field)[] = [];
  for (const [piece] of format.matchAll(/%.?|[^%]+/gsu)) {
    if (piece[0] !== '%') {
      parts.push(unescaped(piece));
      continue;
    }
    const name = piece.slice(1);
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (field === undefined) throw new UsageError(`-format: '${piece}' is not one of %s %S %o %t %%`);
    parts.push(field);
  }
  return (message) => parts.map((part) => (typeof part === 'string' ? part : part(message, show)));
}

/** One object on one line. What is no UTF-8 stands in base64, and `payloadEncoding` says so. */
function jsonOf({ topic, message, offset }: SmqMessage): string {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  const payload = isUtf8(bytes)
    ? { payload: bytes.toString('utf8') }
    : { payload: bytes.toString('base64'), payloadEncoding: 'base64' };
  return jsonLine({ topic, offset: Number(offset), ...payload });
}
