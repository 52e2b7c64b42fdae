import { decodeUtf8 } from './cursor.ts';
import { encodeFrame, FrameBit, FrameError, FrameType } from './frame.ts';
import { readInt64, readUint32, writeInt64, writeUint32 } from './numbers.ts';

/**
 * The payload of ACK, big endian. Frames that are acknowledged are counted by both sides and have no number of their own:
 *
 *     0       8       16     24
 *     +-------+-------+------+----
 *     | UpTo  | First | Last | …
 *     |   8   |   8   |  8   |
 *     +-------+-------+------+----
 *
 * The payload of RETURN, by which a client gives a message back, and that of CREDIT:
 *
 *     0        8       12      12+R          0          4       8
 *     +--------+-------+--------+            +----------+-------+
 *     | Number | After | Reason |            | Messages | Bytes |
 *     |   8    |   4   |   R    |            |    4     |   4   |
 *     +--------+-------+--------+            +----------+-------+
 */

/** Says that everything up to a number has its answer, and each of these ranges. */
export interface Acknowledgement {
  upTo: number;
  /** First and last number of each, all above `upTo`, in ascending order, and none of them twice. */
  ranges: readonly (readonly [first: number, last: number])[];
}

/** Gives back a message that was not dealt with. */
export interface Returned {
  number: number;
  /** How long it is wanted no sooner, in milliseconds; {@link NEVER_AGAIN}: it is rejected, and not sent again. */
  afterMs: number;
  /** For people. */
  reason: string;
}

/** How much more a client takes; {@link ANY_CREDIT} of either takes away that bound. */
export interface Credit {
  messages: number;
  bytes: number;
}

export const NEVER_AGAIN = 0xffff_ffff;
export const ANY_CREDIT = 0xffff_ffff;
/** Which count an acknowledgement is about. */
export type CountBit = typeof FrameBit.acknowledged | typeof FrameBit.once;

const NUMBER_BYTES = 8;
const RANGE_BYTES = 16;
const RETURN_HEADER_BYTES = 12;
const CREDIT_BYTES = 8;
/** Ranges beyond these say little that a later ACK will not say. */
const MAX_RANGES = 63;
const NOBODY = new Uint8Array(0);
const NO_RANGES: Acknowledgement['ranges'] = [];
const utf8 = new TextEncoder();

/** An ACK frame as bytes. Ranges beyond the first {@link MAX_RANGES} are left out. */
export function encodeAck(count: CountBit, upTo: number, ranges = NO_RANGES): Uint8Array {
  const sent = ranges.slice(0, MAX_RANGES);
  const payload = new Uint8Array(NUMBER_BYTES + sent.length * RANGE_BYTES);
  writeInt64(payload, 0, upTo);
  for (const [index, [first, last]] of sent.entries()) {
    const at = NUMBER_BYTES + index * RANGE_BYTES;
    writeInt64(payload, at, first);
    writeInt64(payload, at + NUMBER_BYTES, last);
  }
  return encodeFrame(FrameType.acknowledge | count, '', payload, NOBODY);
}

/** @throws FrameError `meaningless`. */
export function parseAck(payload: Uint8Array): Acknowledgement {
  if (payload.length < NUMBER_BYTES || (payload.length - NUMBER_BYTES) % RANGE_BYTES !== 0) {
    throw meaningless(`has ${payload.length} bytes`);
  }
  const upTo = numberAt(payload, 0);
  if (payload.length === NUMBER_BYTES) return { upTo, ranges: NO_RANGES };
  const ranges: [number, number][] = [];
  let before = upTo;
  for (let at = NUMBER_BYTES; at < payload.length; at += RANGE_BYTES) {
    const first = numberAt(payload, at);
    const last = numberAt(payload, at + NUMBER_BYTES);
    if (first <= before || last < first) throw meaningless(`of ${first} to ${last} behind ${before}`);
    ranges.push([first, last]);
    before = last;
  }
  return { upTo, ranges };
}

/** A RETURN frame as bytes. */
export function encodeReturn({ number, afterMs, reason }: Returned): Uint8Array {
  const text = utf8.encode(reason);
  const payload = new Uint8Array(RETURN_HEADER_BYTES + text.length);
  writeInt64(payload, 0, number);
  writeUint32(payload, NUMBER_BYTES, afterMs);
  payload.set(text, RETURN_HEADER_BYTES);
  return encodeFrame(FrameType.credit | FrameBit.acknowledged, '', payload, NOBODY);
}

/** @throws FrameError `meaningless`, `invalid-utf8`. */
export function parseReturn(payload: Uint8Array): Returned {
  if (payload.length < RETURN_HEADER_BYTES) throw meaningless(`has ${payload.length} bytes`);
  return {
    number: numberAt(payload, 0),
    afterMs: readUint32(payload, NUMBER_BYTES),
    reason: decodeUtf8(payload, RETURN_HEADER_BYTES, payload.length, 'acknowledgement'),
  };
}

/** A CREDIT frame as bytes. */
export function encodeCredit({ messages, bytes }: Credit): Uint8Array {
  const payload = new Uint8Array(CREDIT_BYTES);
  writeUint32(payload, 0, messages);
  writeUint32(payload, 4, bytes);
  return encodeFrame(FrameType.credit, '', payload, NOBODY);
}

/** @throws FrameError `meaningless`. */
export function parseCredit(payload: Uint8Array): Credit {
  if (payload.length !== CREDIT_BYTES) throw meaningless(`has ${payload.length} bytes`);
  return { messages: readUint32(payload, 0), bytes: readUint32(payload, 4) };
}

/** The payload of a PUBLISHREFUSED about a message that was counted: its number, and why. */
export function numberedRefusal(number: number, reason: string): Uint8Array {
  const text = utf8.encode(reason);
  const payload = new Uint8Array(NUMBER_BYTES + text.length);
  writeInt64(payload, 0, number);
  payload.set(text, NUMBER_BYTES);
  return payload;
}

/** @throws FrameError `meaningless`, `invalid-utf8`. */
export function parseNumberedRefusal(payload: Uint8Array): { number: number; reason: string } {
  if (payload.length < NUMBER_BYTES) throw meaningless(`has ${payload.length} bytes`);
  const reason = decodeUtf8(payload, NUMBER_BYTES, payload.length, 'acknowledgement');
  return { number: numberAt(payload, 0), reason };
}

function numberAt(payload: Uint8Array, at: number): number {
  const number = readInt64(payload, at);
  if (!Number.isSafeInteger(number) || number < 0) throw meaningless('has a number beyond all counts');
  return number;
}

function meaningless(problem: string): FrameError {
  return new FrameError('meaningless', 'acknowledgement', problem);
}
