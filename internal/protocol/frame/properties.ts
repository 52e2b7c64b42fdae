import { decodeUtf8 } from './cursor.ts';
import { FrameError, MAX_PROPERTIES_BYTES } from './frame.ts';
import { readInt64, readUint32, writeInt64, writeUint32 } from './numbers.ts';

/**
 * The block of properties at the beginning of a payload, which a frame has whose type has the bit `properties`, big endian:
 *
 *     0          4                            4+B
 *     +----------+----+-----+-------+----+----+---------+
 *     | BlockLen | Id | Len | Value | Id | …  | Message |
 *     |    4     | 1  |  4  |  Len  | 1  |    |         |
 *     +----------+----+-----+-------+----+----+---------+
 */

/** What a property says; docs/frames.md has the extension of each. */
export const PropertyId = {
  retain: 1,
  expiry: 2,
  header: 3,
  contentType: 4,
  correlationData: 5,
  replyTo: 6,
  text: 7,
  place: 8,
  again: 9,
  acknowledged: 16,
  noLocal: 17,
  retainHandling: 18,
  retainAsPublished: 19,
  start: 20,
} as const;
export type PropertyId = (typeof PropertyId)[keyof typeof PropertyId];

/** Where in the logs a message stands. */
export interface Place {
  partition: number;
  offset: number;
  /** 16 bytes that no other log has, whatever its name. */
  logId: Uint8Array;
  log: string;
}

/** When a subscription brings the retained messages of its filter. */
export type RetainHandling = 'always' | 'if new' | 'never';

export interface FrameProperties {
  /** To be retained, or retained. */
  retain?: boolean;
  /** How long the message is wanted from now on, in milliseconds. */
  expiresInMs?: number;
  headers?: [name: string, value: string][];
  contentType?: string;
  correlationData?: Uint8Array;
  replyTo?: string;
  /** Whether the message is UTF-8 text. */
  isText?: boolean;
  place?: Place;
  /** Whether the message may have come before. */
  isAgain?: boolean;
  /** Of a subscription: what was published with a promise comes acknowledged. */
  acknowledged?: boolean;
  /** Of a subscription: not what this client published itself. */
  noLocal?: boolean;
  retainHandling?: RetainHandling;
  /** Of a subscription: live messages say that they were to be retained. */
  retainAsPublished?: boolean;
  /** Of a replay: where it begins, in each of these partitions of logs. */
  starts?: Place[];
}

const LENGTH_BYTES = 4;
const HEAD_BYTES = 1 + LENGTH_BYTES;
const NUMBER_BYTES = 8;
const NAME_LENGTH_BYTES = 2;
const MAX_TEXT_BYTES = 0xffff;
const LOG_ID_AT = 12;
const LOG_ID_BYTES = 16;
const LOG_AT = LOG_ID_AT + LOG_ID_BYTES;
const RETAIN_HANDLINGS: readonly RetainHandling[] = ['always', 'if new', 'never'];
const NOTHING = new Uint8Array(0);
const utf8 = new TextEncoder();

/** The payload of a frame with the bit `properties`. */
export function payloadWith(properties: FrameProperties, message: Uint8Array): Uint8Array {
  const block = encodeProperties(properties);
  const payload = new Uint8Array(block.length + message.length);
  payload.set(block, 0);
  payload.set(message, block.length);
  return payload;
}

/** The block with its length. @throws FrameError `field-too-long`. */
export function encodeProperties(properties: FrameProperties): Uint8Array {
  const values = valuesOf(properties);
  let length = 0;
  for (const [, value] of values) length += HEAD_BYTES + value.length;
  if (length > MAX_PROPERTIES_BYTES) {
    throw new FrameError(
      'field-too-long',
      'properties',
      `of ${length} bytes; at most ${MAX_PROPERTIES_BYTES} fit`,
    );
  }
  const block = new Uint8Array(LENGTH_BYTES + length);
  writeUint32(block, 0, length);
  let at = LENGTH_BYTES;
  for (const [id, value] of values) {
    block[at] = id;
    writeUint32(block, at + 1, value.length);
    block.set(value, at + HEAD_BYTES);
    at += HEAD_BYTES + value.length;
  }
  return block;
}

/** What was read of a payload with a block. */
export interface ReadProperties {
  properties: FrameProperties;
  /** The ids that were there, those that this version does not know too. */
  ids: ReadonlySet<number>;
  /** Where the message begins. */
  messageStart: number;
}

/**
 * Reads the block of a payload that lies between `at` and `end`. What is unknown is passed over. Values are copies.
 *
 * @throws FrameError `meaningless`, `invalid-utf8`.
 */
export function readProperties(bytes: Uint8Array, at: number, end: number): ReadProperties {
  const messageStart = at + LENGTH_BYTES + (end - at < LENGTH_BYTES ? 0 : readUint32(bytes, at));
  if (end - at < LENGTH_BYTES || messageStart > end) throw meaningless('are cut off');
  if (messageStart - at - LENGTH_BYTES > MAX_PROPERTIES_BYTES) throw meaningless('are too many bytes');
  const properties: FrameProperties = {};
  const ids = new Set<number>();
  for (let next = at + LENGTH_BYTES; next < messageStart; ) {
    const start = next + HEAD_BYTES;
    const stop = start > messageStart ? start : start + readUint32(bytes, next + 1);
    if (stop > messageStart) throw meaningless('are cut off');
    const id = bytes[next]!;
    if (ids.has(id) && id !== PropertyId.header && id !== PropertyId.start)
      throw meaningless(`have ${id} twice`);
    ids.add(id);
    take(properties, id, bytes, start, stop);
    next = stop;
  }
  return { properties, ids, messageStart };
}

function valuesOf(properties: FrameProperties): [PropertyId, Uint8Array][] {
  const { retain, expiresInMs, headers, contentType, correlationData, replyTo, isText, place } = properties;
  const values: [PropertyId, Uint8Array][] = [];
  const add = (id: PropertyId, value: Uint8Array) => values.push([id, value]);
  if (retain) add(PropertyId.retain, NOTHING);
  if (expiresInMs !== undefined) add(PropertyId.expiry, numberBytes(expiresInMs));
  for (const [name, value] of headers ?? []) add(PropertyId.header, headerBytes(name, value));
  if (contentType !== undefined) add(PropertyId.contentType, textBytes(contentType));
  if (correlationData !== undefined) add(PropertyId.correlationData, bounded(correlationData));
  if (replyTo !== undefined) add(PropertyId.replyTo, textBytes(replyTo));
  if (isText) add(PropertyId.text, NOTHING);
  if (place !== undefined) add(PropertyId.place, placeBytes(place));
  if (properties.isAgain) add(PropertyId.again, NOTHING);
  if (properties.acknowledged) add(PropertyId.acknowledged, NOTHING);
  if (properties.noLocal) add(PropertyId.noLocal, NOTHING);
  if (properties.retainHandling !== undefined) {
    add(PropertyId.retainHandling, Uint8Array.of(RETAIN_HANDLINGS.indexOf(properties.retainHandling)));
  }
  if (properties.retainAsPublished) add(PropertyId.retainAsPublished, NOTHING);
  for (const start of properties.starts ?? []) add(PropertyId.start, placeBytes(start));
  return values;
}

function take(into: FrameProperties, id: number, bytes: Uint8Array, at: number, end: number): void {
  switch (id) {
    case PropertyId.retain:
      into.retain = isThere(at, end);
      break;
    case PropertyId.expiry:
      into.expiresInMs = numberOf(bytes, at, end);
      break;
    case PropertyId.header:
      into.headers ??= [];
      into.headers.push(headerOf(bytes, at, end));
      break;
    case PropertyId.contentType:
      into.contentType = textOf(bytes, at, end);
      break;
    case PropertyId.correlationData:
      into.correlationData = bounded(copyOf(bytes, at, end));
      break;
    case PropertyId.replyTo:
      into.replyTo = textOf(bytes, at, end);
      break;
    case PropertyId.text:
      into.isText = isThere(at, end);
      break;
    case PropertyId.place:
      into.place = placeOf(bytes, at, end);
      break;
    default:
      takeRest(into, id, bytes, at, end);
  }
}

function takeRest(into: FrameProperties, id: number, bytes: Uint8Array, at: number, end: number): void {
  switch (id) {
    case PropertyId.again:
      into.isAgain = isThere(at, end);
      break;
    case PropertyId.acknowledged:
      into.acknowledged = isThere(at, end);
      break;
    case PropertyId.noLocal:
      into.noLocal = isThere(at, end);
      break;
    case PropertyId.retainHandling: {
      const handling = end - at === 1 ? RETAIN_HANDLINGS[bytes[at]!] : undefined;
      if (handling === undefined) throw meaningless(`have a retain handling that there is not`);
      into.retainHandling = handling;
      break;
    }
    case PropertyId.retainAsPublished:
      into.retainAsPublished = isThere(at, end);
      break;
    case PropertyId.start:
      into.starts ??= [];
      into.starts.push(placeOf(bytes, at, end));
  }
}

function isThere(at: number, end: number): true {
  if (end > at) throw meaningless('have a value where being there says all');
  return true;
}

function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(NUMBER_BYTES);
  writeInt64(bytes, 0, number);
  return bytes;
}

function numberOf(bytes: Uint8Array, at: number, end: number): number {
  const number = end - at === NUMBER_BYTES ? readInt64(bytes, at) : -1;
  if (!Number.isSafeInteger(number) || number < 0) throw meaningless('have a number beyond all use');
  return number;
}

function textBytes(text: string): Uint8Array {
  return bounded(utf8.encode(text));
}

/** Text without NUL, which the other protocols cannot say. */
function textOf(bytes: Uint8Array, at: number, end: number): string {
  if (end - at > MAX_TEXT_BYTES) throw meaningless(`have a value of ${end - at} bytes`);
  const text = decodeUtf8(bytes, at, end, 'properties');
  if (text.includes('\0')) throw meaningless('have text with NUL');
  return text;
}

function headerBytes(name: string, value: string): Uint8Array {
  const [nameBytes, valueBytes] = [textBytes(name), textBytes(value)];
  const bytes = new Uint8Array(NAME_LENGTH_BYTES + nameBytes.length + valueBytes.length);
  bytes[0] = nameBytes.length >>> 8;
  bytes[1] = nameBytes.length;
  bytes.set(nameBytes, NAME_LENGTH_BYTES);
  bytes.set(valueBytes, NAME_LENGTH_BYTES + nameBytes.length);
  return bytes;
}

function headerOf(bytes: Uint8Array, at: number, end: number): [string, string] {
  if (end - at < NAME_LENGTH_BYTES) throw meaningless('have a header without a name');
  const nameStart = at + NAME_LENGTH_BYTES;
  const nameEnd = nameStart + ((bytes[at]! << 8) | bytes[at + 1]!);
  if (nameEnd > end) throw meaningless('have a header whose name is cut off');
  return [textOf(bytes, nameStart, nameEnd), textOf(bytes, nameEnd, end)];
}

function placeBytes({ partition, offset, logId, log }: Place): Uint8Array {
  const name = textBytes(log);
  const bytes = new Uint8Array(LOG_AT + name.length);
  writeUint32(bytes, 0, partition);
  writeInt64(bytes, 4, offset);
  bytes.set(logId, LOG_ID_AT);
  bytes.set(name, LOG_AT);
  return bytes;
}

function placeOf(bytes: Uint8Array, at: number, end: number): Place {
  if (end - at < LOG_AT) throw meaningless('have a place that is cut off');
  return {
    partition: readUint32(bytes, at),
    offset: numberOf(bytes, at + 4, at + LOG_ID_AT),
    logId: copyOf(bytes, at + LOG_ID_AT, at + LOG_AT),
    log: textOf(bytes, at + LOG_AT, end),
  };
}

/** What `slice` of a Buffer returns is a view, and the buffer may be used again. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

function bounded(value: Uint8Array): Uint8Array {
  if (value.length <= MAX_TEXT_BYTES) return value;
  const sizes = `with a value of ${value.length} bytes; at most ${MAX_TEXT_BYTES} fit`;
  throw new FrameError('field-too-long', 'properties', sizes);
}

function meaningless(problem: string): FrameError {
  return new FrameError('meaningless', 'properties', problem);
}
