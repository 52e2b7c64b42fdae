import { isUtf8 } from 'node:buffer';
import type { RecordHeader } from './record-cursor.ts';

/**
 * A record of a log as JSON, in the only form in which tools print, write and read it: the envelope of kcat. Bytes that are no
 * UTF-8 stand in base64, and `keyEncoding`, `payloadEncoding` or, for all headers of a record, `headersEncoding` says so.
 */
export interface RecordForm {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly tstype?: 'create' | 'logappend';
  /** In milliseconds since 1970. */
  readonly ts: number;
  /** Names and values in turn. */
  readonly headers?: readonly (string | null)[];
  readonly headersEncoding?: 'base64';
  readonly key: string | null;
  readonly keyEncoding?: 'base64';
  readonly payload: string | null;
  readonly payloadEncoding?: 'base64';
}

/** What is in a record but for its place. */
export interface RecordContent {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

type Content = Pick<
  RecordForm,
  'key' | 'payload' | 'headers' | 'keyEncoding' | 'payloadEncoding' | 'headersEncoding'
>;

/** Key, value and headers as JSON has them. */
export function contentForm({ key, value, headers }: Omit<RecordContent, 'timestamp'>): Content {
  const areHeadersText = headers.every((header) => header.value === null || isUtf8(header.value));
  const encoding = areHeadersText ? 'utf8' : 'base64';
  return {
    ...(headers.length === 0
      ? {}
      : { headers: headers.flatMap((header) => [header.key, textOf(header.value, encoding)]) }),
    ...(areHeadersText ? {} : { headersEncoding: 'base64' }),
    ...(isText(key) ? { key: textOf(key, 'utf8') } : { key: textOf(key, 'base64'), keyEncoding: 'base64' }),
    ...(isText(value)
      ? { payload: textOf(value, 'utf8') }
      : { payload: textOf(value, 'base64'), payloadEncoding: 'base64' }),
  };
}

/** The record of a form. @throws RangeError that says which field is none. */
export function contentOf(form: RecordForm): RecordContent {
  const { ts, key, payload, headers = [], keyEncoding, payloadEncoding, headersEncoding } = form;
  if (!Number.isSafeInteger(ts)) throw new RangeError('ts is a whole number of milliseconds');
  if (!Array.isArray(headers) || headers.length % 2 !== 0)
    throw new RangeError('headers are names and values in turn');
  const pairs: RecordHeader[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at];
    if (typeof name !== 'string') throw new RangeError('the name of a header is text');
    pairs.push({ key: name, value: bytesOf(headers[at + 1]!, headersEncoding, 'headers') });
  }
  return {
    timestamp: ts,
    key: bytesOf(key, keyEncoding, 'key'),
    value: bytesOf(payload, payloadEncoding, 'payload'),
    headers: pairs,
  };
}

function isText(bytes: Uint8Array | null): boolean {
  return bytes === null || isUtf8(bytes);
}

function textOf(bytes: Uint8Array | null, encoding: 'utf8' | 'base64'): string | null {
  if (bytes === null) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding);
}

const BASE64 = /^[A-Za-z\d+/]*={0,2}$/;

function bytesOf(text: string | null, encoding: 'base64' | undefined, field: string): Uint8Array | null {
  if (text === null) return null;
  if (typeof text !== 'string') throw new RangeError(`${field} is text or null`);
  if (encoding === undefined) return Buffer.from(text);
  if (text.length % 4 !== 0 || !BASE64.test(text)) throw new RangeError(`${field} is no base64`);
  return Buffer.from(text, 'base64');
}
