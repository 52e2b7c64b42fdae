import { type FrameError, FrameType } from '../../internal/protocol/frame/frame.ts';
import golden from './frames.json' with { type: 'json' };

/** One frame as bytes and as values, for every test that reads or writes frames. */
export interface GoldenFrame {
  name: string;
  /** Hex digits; spaces stand between the fields. */
  hex: string;
  type: number;
  topic: string;
  payload: string | Uint8Array;
  clientId: string;
}

/** What the payload of an extension's frame stands for; bytes are hex digits. */
interface Meaning {
  counted?: 'acks' | 'once';
  properties?: Record<string, unknown>;
  ack?: { upTo: number; ranges: [number, number][] };
  refused?: { number: number; reason: string };
  return?: { number: number; afterMs: number; reason: string };
  credit?: { messages: number; bytes: number };
  offer?: Record<string, unknown>;
  answer?: Record<string, unknown>;
}

interface FileFrame {
  name: string;
  hex: string;
  type: number;
  topic: string;
  payload: string;
  clientId: string;
  means?: Meaning;
}

const inFile = (golden as { frames: FileFrame[] }).frames;
const longName = 'x'.repeat(65_535);
const longNameHex = '78'.repeat(65_535);

/** Frames of plain clients, and of extensions whose payload is no more than bytes here. */
export const GOLDEN_FRAMES: readonly GoldenFrame[] = [
  ...inFile.filter(({ means }) => means === undefined).map(ofFile),
  frame(
    'PUBLISH with the longest topic and client id',
    `02 ffff ${longNameHex} 00000001 31 ffff ${longNameHex}`,
    FrameType.publish,
    longName,
    '1',
    longName,
  ),
  frame('an unknown type', '0f 0000 00000000 0001 63', 15, '', '', 'c'),
  frame('a type with a reserved bit', '82 0001 61 00000000 0001 63', 0x82, 'a', '', 'c'),
];

/** Frames of extensions, with what their payloads stand for. */
export const GOLDEN_MEANINGS: readonly (GoldenFrame & { means: Meaning })[] = inFile
  .filter(({ means }) => means !== undefined)
  .map((one) => ({ ...ofFile(one), means: one.means! }));

/** Bytes that are refused, for every test that reads frames. */
export interface GoldenFault {
  name: string;
  /** Hex digits; spaces stand between the fields. The frame may be refused before the last of them. */
  hex: string;
  /** How many of the bytes are enough to know. */
  knownAfterBytes: number;
  code: FrameError['code'];
  message: string;
}

/** The largest payload, in bytes, that is accepted where {@link GOLDEN_FAULTS} are refused. */
export const FAULTS_MAX_PAYLOAD_BYTES = 16;

export const GOLDEN_FAULTS: readonly GoldenFault[] = [
  {
    name: 'a payload that is one byte too long',
    hex: '02 0001 61 00000011 0000000000000000000000000000000000 0001 63',
    knownAfterBytes: 8,
    code: 'payload-too-large',
    message: 'payload of 17 bytes; at most 16 are accepted',
  },
  {
    name: 'a claimed payload of 4 GiB',
    hex: '02 0001 61 ffffffff',
    knownAfterBytes: 8,
    code: 'payload-too-large',
    message: 'payload of 4294967295 bytes; at most 16 are accepted',
  },
  {
    name: 'a claimed payload of 2 GiB, whose highest bit is the sign',
    hex: '00 0000 80000000',
    knownAfterBytes: 7,
    code: 'payload-too-large',
    message: 'payload of 2147483648 bytes; at most 16 are accepted',
  },
  {
    name: 'a topic that begins a character of two bytes and does not end it',
    hex: '03 0002 c328 00000000 0001 63',
    knownAfterBytes: 12,
    code: 'invalid-utf8',
    message: 'topic is not UTF-8',
  },
  {
    name: 'a topic with an overlong slash',
    hex: '03 0002 c0af 00000000 0001 63',
    knownAfterBytes: 12,
    code: 'invalid-utf8',
    message: 'topic is not UTF-8',
  },
  {
    name: 'a topic with half of a surrogate pair',
    hex: '03 0003 eda080 00000000 0001 63',
    knownAfterBytes: 13,
    code: 'invalid-utf8',
    message: 'topic is not UTF-8',
  },
  {
    name: 'a topic beyond the last code point',
    hex: '03 0004 f4908080 00000000 0001 63',
    knownAfterBytes: 14,
    code: 'invalid-utf8',
    message: 'topic is not UTF-8',
  },
  {
    name: 'a client id that ends inside a character',
    hex: '00 0000 00000000 0002 63e2',
    knownAfterBytes: 11,
    code: 'invalid-utf8',
    message: 'client id is not UTF-8',
  },
];

/** The bytes of a golden frame or fault. */
export function bytesOf(golden: { hex: string }): Uint8Array {
  return fromHex(golden.hex);
}

/** Bytes from hex digits with spaces. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function frame(
  name: string,
  hex: string,
  type: number,
  topic: string,
  payload: string | Uint8Array,
  clientId: string,
): GoldenFrame {
  return { name, hex, type, topic, payload, clientId };
}

function ofFile({ name, hex, type, topic, payload, clientId }: FileFrame): GoldenFrame {
  const bytes = fromHex(payload);
  const text = Buffer.from(bytes).toString();
  return frame(name, hex, type, topic, Buffer.from(text).equals(bytes) ? text : bytes, clientId);
}
