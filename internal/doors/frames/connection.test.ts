import { afterEach, describe, expect, it, vi } from 'vitest';
import { type FakeConnection, shown } from '../../../test/support/fake-connection.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { bytesPerTurn, controlFramesPerTurn, maxWaitingControlBytes } from '../../limits.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';

afterEach(() => {
  vi.useRealTimers();
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
    const { connected } = framesDoor();
    const connection = await connected(longId);
    connection.isFull = true;
    connection.handler.bytes(Buffer.concat([many(10, ping), encodeFrame(3, 'a', '', ''), many(10, ping)]));
    // These were on their way when the connection was paused.
    connection.handler.bytes(encodeFrame(3, 'b', '', ''));
    for (let turn = 0; turn < 10; turn++) await endOfTurn();
    expect(sizeOf(connection)).toBeLessThanOrEqual(maxWaitingControlBytes + 2 * longId.length);
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
    const { connected } = framesDoor({ channelSize: 3 });
    const subscriber = await connected('sub', 'a');
    const publisher = await connected(longId);
    subscriber.isFull = true;
    publisher.handler.bytes(many(200, encodeFrame(2, 'a', '', '')));
    for (let turn = 0; turn < 50; turn++) await endOfTurn();
    expect(sizeOf(subscriber)).toBeLessThan(10 * longId.length);
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
