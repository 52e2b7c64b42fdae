import { crc32 } from 'node:zlib';
import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import {
  type Extension,
  formatExtensions,
  parseExtensions,
} from '../../internal/protocol/frame/extensions.ts';
import {
  FrameBit,
  FrameType,
  MAX_PAYLOAD_BYTES,
  RESERVED_TYPE_BITS,
} from '../../internal/protocol/frame/frame.ts';
import { readInt64, readUint32, writeInt64, writeUint32 } from '../../internal/protocol/frame/numbers.ts';
import type { PromisedMessage } from './queue-file.ts';

/**
 * The file of a queue, big endian. Records are only added at the end; another file takes the place of one that has become long.
 *
 *     0       8      12                           a record:  0     4     8      9      8+Len
 *     +-------+------+--------+--------+----                 +-----+-----+------+------+
 *     | Magic | Salt | record | record | …                   | Len | Crc | Kind | Body |
 *     |   8   |  4   |        |        |                     |  4  |  4  |  1   |      |
 *     +-------+------+--------+--------+----                 +-----+-----+------+------+
 *
 * The checksum also covers the salt and the place of the record, so that what a message has in it, or what another file left behind,
 * is never taken for a record. The body of a message; Needs is text:
 *
 *     0           8       9          10         10+N
 *     +-----------+-------+----------+----------+-------+
 *     | Published | Count | NeedsLen |  Needs   | Frame |
 *     |     8     |   1   |    1     |    N     |       |
 *     +-----------+-------+----------+----------+-------+
 */
export const QUEUE_MAGIC = new TextEncoder().encode('tinymqQ1');
export const SALT_BYTES = 4;
export const FILE_HEAD_BYTES = QUEUE_MAGIC.length + SALT_BYTES;

const RECORD_HEAD_BYTES = 8;
const MESSAGE_HEAD_BYTES = 10;
const ANSWERED_BYTES = 5;

const Kind = { numbering: 1, message: 2, answered: 3 } as const;

/** Whose messages a file has, and the count that their numbers come from. */
export interface Numbering {
  clientId: string;
  producer: string;
  /** Up to which number everything had its answer when this was written. */
  acknowledged: number;
}

export type QueueRecord =
  | { kind: 'numbering'; numbering: Numbering }
  | { kind: 'message'; message: PromisedMessage }
  | { kind: 'answered'; count: CountBit; messages: number };

/** Where a file goes on with what is no record. */
export interface Torn {
  at: number;
  /** Whether that may be a record that was not written to its end. Otherwise somebody wrote over it. */
  isUnfinished: boolean;
}

/** Bytes of a file; fewer where it ends before. */
export type ReadAt = (at: number, length: number) => Uint8Array;

/** A record as bytes, for one place in one file. */
export function encodeRecord(record: QueueRecord, salt: Uint8Array, at: number): Uint8Array {
  const body = bodyOf(record);
  const bytes = new Uint8Array(RECORD_HEAD_BYTES + 1 + body.length);
  writeUint32(bytes, 0, 1 + body.length);
  bytes[RECORD_HEAD_BYTES] = Kind[record.kind];
  bytes.set(body, RECORD_HEAD_BYTES + 1);
  writeUint32(bytes, 4, checksum(bytes.subarray(RECORD_HEAD_BYTES), salt, at));
  return bytes;
}

/** Reads the records of a file of this size up to its end, or to what is no record. */
export function readRecords(
  read: ReadAt,
  size: number,
  salt: Uint8Array,
): { records: QueueRecord[]; torn: Torn | undefined } {
  const records: QueueRecord[] = [];
  let at = FILE_HEAD_BYTES;
  while (at < size) {
    const head = read(at, RECORD_HEAD_BYTES);
    const end = head.length < RECORD_HEAD_BYTES ? size + 1 : at + RECORD_HEAD_BYTES + readUint32(head, 0);
    const record =
      end <= size ? recordIn(head, read(at + RECORD_HEAD_BYTES, readUint32(head, 0)), salt, at) : undefined;
    if (record === undefined) return { records, torn: { at, isUnfinished: end > size || isBlank(head) } };
    records.push(record);
    at = end;
  }
  return { records, torn: undefined };
}

/** A crash of the machine may leave zeros where something was to be written. */
function isBlank(head: Uint8Array): boolean {
  return head.every((byte) => byte === 0);
}

/** The record with this head and content; undefined where it is none. */
function recordIn(
  head: Uint8Array,
  content: Uint8Array,
  salt: Uint8Array,
  at: number,
): QueueRecord | undefined {
  if (content.length === 0 || checksum(content, salt, at) !== readUint32(head, 4)) return undefined;
  const body = content.subarray(1);
  try {
    switch (content[0]) {
      case Kind.numbering:
        return { kind: 'numbering', numbering: numberingIn(body) };
      case Kind.message:
        return { kind: 'message', message: messageIn(body) };
      case Kind.answered:
        return { kind: 'answered', count: countIn(body[0]), messages: readUint32(body, 1) };
    }
  } catch {
    // It says nothing that this version can read.
  }
  return undefined;
}

function checksum(content: Uint8Array, salt: Uint8Array, at: number): number {
  const place = new Uint8Array(8);
  writeInt64(place, 0, at);
  return crc32(content, crc32(place, crc32(salt)));
}

function bodyOf(record: QueueRecord): Uint8Array {
  switch (record.kind) {
    case 'numbering':
      return new TextEncoder().encode(JSON.stringify(record.numbering));
    case 'message':
      return messageBody(record.message);
    case 'answered': {
      const body = new Uint8Array(ANSWERED_BYTES);
      body[0] = record.count;
      writeUint32(body, 1, record.messages);
      return body;
    }
  }
}

function messageBody({ publishedAtMs, count, needs, frame }: PromisedMessage): Uint8Array {
  const words = new TextEncoder().encode(formatExtensions(needs));
  const body = new Uint8Array(MESSAGE_HEAD_BYTES + words.length + frame.length);
  writeInt64(body, 0, publishedAtMs);
  body[8] = count;
  body[9] = words.length;
  body.set(words, MESSAGE_HEAD_BYTES);
  body.set(frame, MESSAGE_HEAD_BYTES + words.length);
  return body;
}

/** @throws Error where it is none. */
function numberingIn(body: Uint8Array): Numbering {
  const { clientId, producer, acknowledged } = JSON.parse(
    new TextDecoder().decode(body),
  ) as Partial<Numbering>;
  if (typeof clientId !== 'string' || typeof producer !== 'string' || !Number.isSafeInteger(acknowledged)) {
    throw new TypeError('not a numbering');
  }
  return { clientId, producer, acknowledged: acknowledged! };
}

/** @throws Error where it is none. */
function messageIn(body: Uint8Array): PromisedMessage {
  const frameAt = MESSAGE_HEAD_BYTES + body[9]!;
  const frame = body.subarray(frameAt);
  const needs: Extension[] = [...parseExtensions(body.subarray(MESSAGE_HEAD_BYTES, frameAt))];
  const frames = new FrameDecoder(MAX_PAYLOAD_BYTES).frames(frame);
  const [first] = frames;
  if (frames.length !== 1 || (first!.type & ~RESERVED_TYPE_BITS) !== FrameType.publish) {
    throw new TypeError('not a message');
  }
  return { publishedAtMs: readInt64(body, 0), count: countIn(body[8]), topic: first!.topic, frame, needs };
}

function countIn(byte: number | undefined): CountBit {
  if (byte !== FrameBit.acknowledged && byte !== FrameBit.once) throw new TypeError('not a count');
  return byte;
}
