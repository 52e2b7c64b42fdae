import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  bytesOf,
  FAULTS_MAX_PAYLOAD_BYTES,
  fromHex,
  GOLDEN_FAULTS,
  GOLDEN_FRAMES,
} from '../../../test/golden/frames.ts';
import { type FakeConnection, shown } from '../../../test/support/fake-connection.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { bytesPerTurn, controlFramesPerTurn, maxWaitingControlBytes } from '../../limits/doors.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** What each golden frame brings about: the hex of the answer, or the reason of the DISCONNECT. */
const TO_CONNECTED: Record<string, { answer: string } | { reason: string } | 'end'> = {
  CONNECT: { reason: 'unexpected-frame: type 0 came from a connected client' },
  CONNACK: { reason: 'unexpected-frame: type 1 came from a connected client' },
  PUBLISH: { answer: '' },
  'PUBLISH of nothing': { answer: '' },
  'PUBLISH of bytes that are no text': { answer: '' },
  'PUBLISH without a client id': { answer: '' },
  'PUBLISH in UTF-8 of two, three and four bytes': { answer: '' },
  'PUBLISH with the longest topic and client id': { answer: '' },
  SUBSCRIBE: { answer: '04 0009 73656e736f72732f23 00000000 0002 6d65' },
  SUBACK: { reason: 'unexpected-frame: type 4 came from a connected client' },
  UNSUBSCRIBE: { answer: '06 0003 612f2b 00000000 0002 6d65' },
  UNSUBACK: { reason: 'unexpected-frame: type 6 came from a connected client' },
  PING: { answer: '08 0000 00000000 0002 6d65' },
  PONG: { reason: 'unexpected-frame: type 8 came from a connected client' },
  'DISCONNECT with a reason': 'end',
  'CONNECT with an offer': { reason: 'unexpected-frame: type 0 came from a connected client' },
  'CONNECT with credentials': { reason: 'unexpected-frame: type 0 came from a connected client' },
  POSITION: { answer: '' },
  REPLAYED: { answer: '' },
  'an unknown type': { answer: '' },
  'a type with a reserved bit': { reason: 'reserved-bits: the type byte is 0x82' },
};
/** The same for what breaks the rules of frames. */
const FAULT_CODES: Record<string, string> = {
  'payload-too-large': 'message-too-large',
  'invalid-utf8': 'invalid-topic',
  'field-too-long': 'invalid-topic',
};

describe.each(GOLDEN_FRAMES)('$name', (golden) => {
  const bytes = bytesOf(golden);
  const expected = TO_CONNECTED[golden.name];

  it.each(['whole', 'byte by byte', 'in two halves'])('from a connected client, %s', async (how) => {
    const connection = await framesDoor({ maxMessageBytes: 16 }).connected('me');
    for (const chunk of pieces(bytes, how)) connection.handler.bytes(chunk);
    const answer = await bytesFrom(connection);
    if (expected === 'end') {
      expectBytes(answer, new Uint8Array(0));
    } else if ('answer' in expected) {
      expectBytes(answer, fromHex(expected.answer));
    } else {
      expectBytes(answer, encodeFrame(FrameType.disconnect, '', expected.reason, 'me'));
    }
    expect(connection.isEnded).toBe(expected === 'end' || 'reason' in expected);
  });

  it.each(['whole', 'byte by byte', 'in two halves'])('as the first frame, %s', async (how) => {
    const connection = framesDoor({ maxMessageBytes: 16 }).open();
    for (const chunk of pieces(bytes, how)) connection.handler.bytes(chunk);
    const answer =
      golden.type === FrameType.connect
        ? encodeFrame(FrameType.connack, '', namesOf(golden.payload), golden.clientId)
        : encodeFrame(
            FrameType.disconnect,
            '',
            `not-connected: the first frame has type ${golden.type}, not CONNECT (0)`,
            '',
          );
    expectBytes(await bytesFrom(connection), answer);
    expect(connection.isEnded).toBe(golden.type !== FrameType.connect);
  });
});

/** What CONNACK says of an offer: the names that both sides agree on, and no value, which may be a secret. */
function namesOf(payload: string | Uint8Array): string | Uint8Array {
  if (typeof payload !== 'string') return payload;
  const names = payload.split(' ').filter((word) => !word.includes('='));
  return names.join(' ');
}

describe.each(GOLDEN_FAULTS)('$name', (fault) => {
  it.each(['whole', 'byte by byte', 'in two halves'])('from a connected client, %s', async (how) => {
    const connection = await framesDoor({ maxMessageBytes: FAULTS_MAX_PAYLOAD_BYTES }).connected('me');
    // A second CONNECT is refused for itself; here the fields count.
    const bytes = bytesOf(fault);
    if (bytes[0] === FrameType.connect) bytes[0] = FrameType.ping;
    for (const chunk of pieces(bytes, how)) connection.handler.bytes(chunk);
    const code = fault.message.startsWith('client id') ? 'invalid-client-id' : FAULT_CODES[fault.code];
    const reason = `${code}: ${fault.message}`;
    expectBytes(await bytesFrom(connection), encodeFrame(FrameType.disconnect, '', reason, 'me'));
    expect(connection.isEnded).toBe(true);
  });
});

describe('one chunk', () => {
  const longId = 'i'.repeat(65_535);

  it('of requests never makes more answers than may wait, though a short PING has a long PONG', async () => {
    const { connected } = framesDoor();
    const connection = await connected(longId);
    connection.handler.bytes(many(7_000, encodeFrame(FrameType.ping, '', '', '')));
    await endOfTurn();
    const written = sizeOf(connection);
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThanOrEqual(2 * (maxWaitingControlBytes + longId.length));
    expect(connection.pauses).toBeGreaterThan(0);
  });

  it('of requests waits in its place for a client that does not read', async () => {
    const { connected, channelOf } = framesDoor();
    const connection = await connected(longId);
    connection.isFull = true;
    connection.handler.bytes(Buffer.concat([many(10, ping), encodeFrame(3, 'a', '', ''), many(10, ping)]));
    // These were on their way when the connection was paused.
    connection.handler.bytes(encodeFrame(3, 'b', '', ''));
    for (let turn = 0; turn < 10; turn++) await endOfTurn();
    expect(sizeOf(connection)).toBeLessThanOrEqual(maxWaitingControlBytes + 2 * longId.length);
    expect(channelOf(longId).waitingControlBytes).toBeLessThanOrEqual(
      maxWaitingControlBytes + longId.length + 20,
    );
    expect(connection.pauses).toBeGreaterThan(0);
    connection.isFull = false;
    const answers: string[] = [];
    while (answers.length < 22) {
      answers.push(...(await connection.frames()).map(({ type, topic }) => `${type} ${topic}`));
      connection.handler.drained();
    }
    expect(answers).toEqual([...Array(10).fill('8 '), '4 a', ...Array(10).fill('8 '), '4 b']);
    await until(() => connection.pauses === 0);
  });

  it('of many requests lets the others have their turn in between', async () => {
    const { connected } = framesDoor();
    const connection = await connected('c');
    const filters = Array.from({ length: 3 * controlFramesPerTurn }, (_, index) => `f/${index}`);
    connection.handler.bytes(Buffer.concat(filters.map((filter) => encodeFrame(3, filter, '', 'c'))));
    const turns: number[] = [];
    const answers: string[] = [];
    while (answers.length < filters.length) {
      const frames = await connection.frames();
      turns.push(frames.length);
      answers.push(...frames.map(({ topic }) => topic));
    }
    expect(Math.max(...turns)).toBeLessThanOrEqual(2 * controlFramesPerTurn);
    expect(answers).toEqual(filters);
    await until(() => connection.pauses === 0);
  });

  it('of messages without an id never makes more than a turn may carry, though the real id is long', async () => {
    const { connected } = framesDoor();
    const subscriber = await connected('sub', 'a');
    const publisher = await connected(longId);
    publisher.handler.bytes(many(200, encodeFrame(2, 'a', '', '')));
    await endOfTurn();
    expect(sizeOf(subscriber)).toBeLessThan(10 * longId.length);
    let count = 0;
    while (count < 200) count += (await subscriber.frames()).length;
    expect(count).toBe(200);
    await until(() => publisher.pauses === 0);
  });

  it('of messages without an id stops when the subscriber is full', async () => {
    const { connected, channelOf } = framesDoor({ channelSize: 3 });
    const subscriber = await connected('sub', 'a');
    const publisher = await connected(longId);
    subscriber.isFull = true;
    publisher.handler.bytes(many(200, encodeFrame(2, 'a', '', '')));
    for (let turn = 0; turn < 50; turn++) await endOfTurn();
    expect(sizeOf(subscriber)).toBeLessThan(10 * longId.length);
    expect(channelOf('sub').waitingMessages).toBeLessThanOrEqual(5);
    expect(publisher.pauses).toBeGreaterThan(0);
    subscriber.isFull = false;
    let count = 0;
    while (count < 200) {
      subscriber.handler.drained();
      count += (await subscriber.frames()).length;
    }
    expect(count).toBe(200);
    await until(() => publisher.pauses === 0);
  });

  it('as long as a WebSocket message may be is taken in several turns, in order', async () => {
    const { connected } = framesDoor({ channelSize: 1e6 });
    const odd = await connected('odd', 'a/1');
    const even = await connected('even', 'a/0');
    const publisher = await connected('p');
    const frames = Array.from({ length: 40_000 }, (_, index) =>
      encodeFrame(2, `a/${index % 2}`, String(index), 'p'),
    );
    const chunk = Buffer.concat(frames);
    expect(chunk.length).toBeGreaterThan(2 * bytesPerTurn);
    publisher.handler.bytes(chunk);
    publisher.handler.bytes(encodeFrame(2, 'a/0', 'last', 'p'));
    await endOfTurn();
    expect(sizeOf(even)).toBeLessThan(bytesPerTurn);
    const texts: string[] = [];
    while (texts.at(-1) !== 'last') {
      texts.push(...(await even.frames()).map(({ payload }) => Buffer.from(payload).toString()));
    }
    const expected = Array.from({ length: 20_000 }, (_, index) => String(2 * index));
    expect(texts).toEqual([...expected, 'last']);
    expect((await odd.frames()).length).toBe(20_000);
    expect(publisher.pauses).toBe(0);
  });

  it('that is given up in the middle is not taken on', async () => {
    const { connected } = framesDoor();
    const connection = await connected('c');
    connection.handler.bytes(Buffer.concat([many(300, ping), encodeFrame(9, '', '', 'c'), many(300, ping)]));
    let answers = 0;
    while (!connection.isEnded) answers += (await connection.frames()).length;
    answers += (await connection.frames()).length;
    expect(answers).toBe(300);
    await endOfTurn();
    await endOfTurn();
    expect(await connection.frames()).toEqual([]);
  });
});

describe('a client that said DISCONNECT', () => {
  it('is not told that it never connected, however long its socket stays open', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { connected, metrics } = framesDoor({ connectTimeoutMs: 1000 });
    const connection = await connected('c');
    connection.handler.bytes(encodeFrame(9, '', '', 'c'));
    vi.advanceTimersByTime(10_000);
    expect((await connection.frames()).map(shown)).toEqual([]);
    expect(metrics.snapshot()['disconnects_total{code="connect-timeout"}']).toBeUndefined();
  });

  it('is not told so after it only closed its direction either', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { open, connected, metrics } = framesDoor({ connectTimeoutMs: 1000 });
    const connection = await connected('c');
    const stranger = open();
    connection.handler.ended();
    stranger.handler.ended();
    vi.advanceTimersByTime(10_000);
    expect(metrics.snapshot()['disconnects_total{code="connect-timeout"}']).toBeUndefined();
  });
});

/** A chunk in one piece, or in several. */
function pieces(bytes: Uint8Array, how: string): Uint8Array[] {
  if (how === 'byte by byte') return Array.from(bytes, (byte) => Uint8Array.of(byte));
  if (how === 'whole') return [bytes];
  const middle = bytes.length >>> 1;
  return [bytes.subarray(0, middle), bytes.subarray(middle)];
}

/** What was written to a connection since the last call, after this turn has ended. */
async function bytesFrom(connection: FakeConnection): Promise<Uint8Array> {
  await endOfTurn();
  return Buffer.concat(connection.written.splice(0));
}

const ping = encodeFrame(FrameType.ping, '', '', '');

function many(count: number, frame: Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => frame));
}

function sizeOf(connection: FakeConnection): number {
  return connection.written.reduce((sum, { length }) => sum + length, 0);
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await endOfTurn();
}
