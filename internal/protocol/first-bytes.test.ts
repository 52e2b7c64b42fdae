import { describe, expect, it } from 'vitest';
import { FirstBytes, mqttLevelOf, type Protocol, protocolOf } from './first-bytes.ts';
import { encodeFrame, FrameType } from './frame/frame.ts';
import { PREFACE } from './http2/frame.ts';
import { metadata } from './kafka/apis/03-metadata.ts';
import { apiVersions } from './kafka/apis/18-api-versions.ts';
import { encodeRequest } from './kafka/exchange.ts';
import type { Api, InputOf } from './kafka/schema.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const kafka = <A extends Api>(
  api: A,
  version: number,
  clientId: string | null,
  body: InputOf<A['request']>,
) => Buffer.concat(encodeRequest(api, version, { correlationId: 1, clientId }, body));

const NAME = { clientSoftwareName: 'a-client', clientSoftwareVersion: '1.0' };
/** Whose size is 256: its low byte is 0, as in the length of a short payload. */
const LONG_NAME = 'x'.repeat(246);

const BEGINNINGS: [string, Uint8Array, Protocol][] = [
  ['ClientHello of TLS 1.3', hex('1603010200010001fc0303'), 'TLS'],
  ['ClientHello of SSL 3', hex('16030000'), 'TLS'],
  ['GET', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'HTTP/1'],
  ['POST', Buffer.from('POST /topics HTTP/1.1\r\n\r\n'), 'HTTP/1'],
  ['the preface of HTTP/2', PREFACE, 'HTTP/2'],
  ['CONNECT of MQTT 3.1.1', hex('100c00044d5154540402003c0000'), 'MQTT'],
  ['CONNECT of MQTT 5 that is long', hex('10808001' + '00044d51545405'), 'MQTT'],
  ['CONNECT of MQTT 3.1', hex('120e00064d51497364700302003c0000'), 'MQTT'],
  ['CONNECT of a bridge', hex('100c00044d5154548402003c0000'), 'MQTT'],
  ['CONNECT of the frames', encodeFrame(FrameType.connect, '', '', 'somebody'), 'tinymq frames'],
  [
    'CONNECT of the frames with an offer',
    encodeFrame(FrameType.connect, '', 'refusals', 'x'.repeat(300)),
    'tinymq frames',
  ],
  ['ApiVersions 0', kafka(apiVersions, 0, 'rdkafka', {}), 'Kafka'],
  ['ApiVersions 3', kafka(apiVersions, 3, 'rdkafka', NAME), 'Kafka'],
  ['ApiVersions without a client id', kafka(apiVersions, 0, null, {}), 'Kafka'],
  ['ApiVersions of 256 bytes', kafka(apiVersions, 0, LONG_NAME, {}), 'Kafka'],
  ['Metadata', kafka(metadata, 0, 'x', { topics: [{ name: 'a' }] }), 'Kafka'],
];

describe('the first bytes of', () => {
  it.each(BEGINNINGS)('%s say so, however they are cut', (_, bytes, protocol) => {
    expect(protocolOf(bytes)).toBe(protocol);
    const first = new FirstBytes();
    const answers = [...bytes].map((byte) => first.push(Uint8Array.of(byte)));
    const decided = answers.findIndex((answer) => answer !== 'undecided');
    expect(answers[decided]).toBe(protocol);
    expect(answers.slice(decided).every((answer) => answer === protocol)).toBe(true);
    expect(Buffer.from(first.bytes)).toEqual(Buffer.from(bytes));
  });

  it.each([
    ['noise', hex('ff0017')],
    ['what begins like TLS and is not', hex('1600')],
    ['what begins like HTTP and is not', Buffer.from('GETTING')],
    ['what begins like the preface and is not', Buffer.from('PRI * HTTP/1.1\r\n')],
    ['CONNECT of MQTT without a body', hex('1000')],
    ['CONNECT of MQTT that ends in the name of its protocol', hex('100500044d5154')],
    ['MQTT of another name', hex('100c00044d5154580402003c0000')],
    ['a length of MQTT that never ends', hex('10ffffffff')],
    ['a length of 4 GiB in the head of a frame', hex('000000ffffffff0001')],
    ['a request of Kafka whose client id is longer than itself', hex('00000014001200030000000100ff')],
    ['a request of Kafka that is shorter than its header', hex('0000000800120003')],
    ['CONNECT of the frames that has a topic', encodeFrame(FrameType.connect, 'a', '', 'k')],
    ['a frame of HTTP/2 without a preface', hex('000000040000000000')],
    ['a frame that is not the first', encodeFrame(FrameType.publish, 'a', 'b', 'c')],
  ])('%s say nothing', (_, bytes) => {
    expect(protocolOf(bytes)).toBeUndefined();
  });

  it('nothing at all are too few', () => {
    expect(protocolOf(new Uint8Array(0))).toBe('undecided');
  });
});

it('the level of a CONNECT is known without the bit of a bridge', () => {
  const levels = BEGINNINGS.filter(([, , protocol]) => protocol === 'MQTT').map(([, first]) =>
    mqttLevelOf(first),
  );
  expect(levels).toEqual([4, 5, 3, 4]);
});
