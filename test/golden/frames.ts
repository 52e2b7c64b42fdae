import { type FrameError, FrameType } from '../../internal/protocol/frame/frame.ts';

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

const longName = 'x'.repeat(65_535);
const longNameHex = '78'.repeat(65_535);

export const GOLDEN_FRAMES: readonly GoldenFrame[] = [
  frame('CONNECT', '00 0000 00000000 0007 6b69746368656e', FrameType.connect, '', '', 'kitchen'),
  frame(
    'CONNECT with credentials',
    '00 0000 00000034 7265667573616c732063726564656e7469616c7320757365723d5a6e4a6c5a413d3d2070617373776f72643d6332567a5957316c 0001 63',
    FrameType.connect,
    '',
    'refusals credentials user=ZnJlZA== password=c2VzYW1l',
    'c',
  ),
  frame('CONNACK', '01 0000 00000000 0007 6b69746368656e', FrameType.connack, '', '', 'kitchen'),
  frame(
    'PUBLISH',
    '02 000c 73656e736f72732f74656d70 00000004 32322e35 0007 6b69746368656e',
    FrameType.publish,
    'sensors/temp',
    '22.5',
    'kitchen',
  ),
  frame('PUBLISH of nothing', '02 0001 61 00000000 0001 63', FrameType.publish, 'a', '', 'c'),
  frame(
    'PUBLISH of bytes that are no text',
    '02 0001 61 00000004 00ff80c0 0001 63',
    FrameType.publish,
    'a',
    new Uint8Array([0x00, 0xff, 0x80, 0xc0]),
    'c',
  ),
  frame('PUBLISH without a client id', '02 0001 61 00000001 62 0000', FrameType.publish, 'a', 'b', ''),
  frame(
    'PUBLISH in UTF-8 of two, three and four bytes',
    '02 0009 c3bce282acf09f9a80 00000002 c3a9 0002 c3b6',
    FrameType.publish,
    'ü€🚀',
    'é',
    'ö',
  ),
  frame(
    'PUBLISH with the longest topic and client id',
    `02 ffff ${longNameHex} 00000001 31 ffff ${longNameHex}`,
    FrameType.publish,
    longName,
    '1',
    longName,
  ),
  frame(
    'SUBSCRIBE',
    '03 0009 73656e736f72732f23 00000000 0007 6b69746368656e',
    FrameType.subscribe,
    'sensors/#',
    '',
    'kitchen',
  ),
  frame(
    'SUBACK',
    '04 0009 73656e736f72732f23 00000000 0007 6b69746368656e',
    FrameType.suback,
    'sensors/#',
    '',
    'kitchen',
  ),
  frame('UNSUBSCRIBE', '05 0003 612f2b 00000000 0001 63', FrameType.unsubscribe, 'a/+', '', 'c'),
  frame('UNSUBACK', '06 0003 612f2b 00000000 0001 63', FrameType.unsuback, 'a/+', '', 'c'),
  frame('PING', '07 0000 00000000 0001 63', FrameType.ping, '', '', 'c'),
  frame('PONG', '08 0000 00000000 0001 63', FrameType.pong, '', '', 'c'),
  frame(
    'DISCONNECT with a reason',
    '09 0000 00000004 676f6e65 0001 63',
    FrameType.disconnect,
    '',
    'gone',
    'c',
  ),
  frame(
    'CONNECT with an offer',
    '00 0000 00000012 7265667573616c7320706f736974696f6e73 0001 63',
    FrameType.connect,
    '',
    'refusals positions',
    'c',
  ),
  frame(
    'POSITION: reader 7, partition 1, offset 42, nothing left out, log a.b',
    '0c 0014 247265706c61792f6561726c696573742f612f23 0000002b 00000007 00000001 000000000000002a ' +
      '8000000000000000 000102030405060708090a0b0c0d0e0f 612e62 0001 63',
    FrameType.position,
    '$replay/earliest/a/#',
    Buffer.from(
      '0000000700000001000000000000002a8000000000000000000102030405060708090a0b0c0d0e0f612e62',
      'hex',
    ),
    'c',
  ),
  frame(
    'REPLAYED: reader 7, offset 42, published at 2026-11-21T06:00:00Z',
    '0d 0003 612f62 00000018 00000007 000000000000002a 000001a1fcb0af00 32322e35 0007 6b69746368656e',
    FrameType.replayed,
    'a/b',
    Buffer.from('00000007000000000000002a000001a1fcb0af0032322e35', 'hex'),
    'kitchen',
  ),
  frame('an unknown type', '0f 0000 00000000 0001 63', 15, '', '', 'c'),
  frame('a type with a reserved bit', '82 0001 61 00000000 0001 63', 0x82, 'a', '', 'c'),
];

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
