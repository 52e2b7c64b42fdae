import { FrameType } from './frame.ts';

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
  frame('an unknown type', '0f 0000 00000000 0001 63', 15, '', '', 'c'),
  frame('a type with a reserved bit', '82 0001 61 00000000 0001 63', 0x82, 'a', '', 'c'),
];

/** The bytes of a golden frame. */
export function bytesOf(golden: GoldenFrame): Uint8Array {
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
