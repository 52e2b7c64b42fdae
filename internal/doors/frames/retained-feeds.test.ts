import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../broker/client.ts';
import { Channel } from '../../broker/delivery/channel.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import { Turn } from '../../broker/delivery/turn.ts';
import { sessionSendAheadBytes } from '../../limits/broker.ts';
import { retainedPerStep } from '../../limits/doors.ts';
import { FrameDecoder } from '../../protocol/frame/decoder.ts';
import { MAX_PAYLOAD_BYTES } from '../../protocol/frame/frame.ts';
import { frameEncoding } from './encoding.ts';
import { RetainedFeeds } from './retained-feeds.ts';

const LARGE_BYTES = 100_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('retained messages for a subscriber of frames', () => {
  it('come in steps of so many messages and so many bytes, each behind the one before', () => {
    const { feeds, taken } = setUp('many', 'large');
    feeds.add('many', messages('many', 1_000, 1));
    feeds.add('large', messages('large', 20, LARGE_BYTES));
    endTurns();
    expect(taken.flat()).toEqual([...names('many', 1_000), ...names('large', 20)]);
    for (const step of taken) {
      expect(step.length).toBeLessThanOrEqual(retainedPerStep);
      const large = step.filter((name) => name.startsWith('large')).length;
      expect((large - 1) * LARGE_BYTES).toBeLessThan(sessionSendAheadBytes);
    }
  });

  it('wait where they are while the client takes nothing, whatever it asks for', () => {
    const { feeds, channel, taken, sink, dropped } = setUp('a', 'b');
    sink.isFull = true;
    feeds.add('a', messages('a', 2_000, 1));
    endTurns();
    const before = taken.flat().length;
    for (let time = 0; time < 10; time++) {
      feeds.add('b', messages('b', 2_000, 1));
      endTurns();
    }
    expect(taken.flat()).toHaveLength(before);
    expect(channel.waitingMessages).toBe(0);
    sink.isFull = false;
    channel.ready();
    endTurns();
    expect(taken.flat()).toEqual([...names('a', 2_000), ...names('b', 2_000)]);
    expect(dropped()).toBe(0);
  });

  it('come no more when the subscription has ended, or the client is gone', () => {
    const { feeds, channel, held, taken, sink } = setUp('a', 'b');
    sink.isFull = true;
    feeds.add('a', messages('a', 2_000, 1));
    feeds.add('b', messages('b', 2_000, 1));
    endTurns();
    const before = taken.flat().length;
    held.delete('a');
    sink.isFull = false;
    channel.ready();
    endTurns();
    expect(taken.flat()).toEqual([...names('a', before), ...names('b', 2_000)]);
    feeds.add('b', messages('b', 2_000, 1));
    channel.close();
    held.clear();
    endTurns();
    expect(taken.flat()).toHaveLength(before + 2_000);
  });
});

function setUp(...filters: string[]) {
  const sink = { isFull: false };
  const taken: string[][] = [];
  const decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);
  const limits = {
    channelSize: 100,
    channelBytes: 1_000_000,
    slowConsumer: 'drop-new',
    slowConsumerWaitMs: 10,
  } as const;
  const take = (buffers: readonly Uint8Array[]) => {
    taken.push(decoder.frames(Buffer.concat(buffers)).map(({ topic }) => topic));
    return !sink.isFull;
  };
  let dropped = 0;
  const events = { slow() {}, recovered() {}, dropped: (count: number) => (dropped += count) };
  const channel = new Channel(frameEncoding, { write: take }, limits, new Turn(), events);
  const held = new Set(filters);
  const client = { channel, filters: held } as unknown as Client;
  return { feeds: new RetainedFeeds(client), channel, held, taken, sink, dropped: () => dropped };
}

function* messages(name: string, count: number, payloadBytes: number): Generator<Message> {
  const payload = Buffer.alloc(payloadBytes);
  for (const topic of names(name, count)) yield { topic, payload, clientId: 'publisher' };
}

function names(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}/${index}`);
}

/** Everything that wants to happen at the end of a turn, and what follows from it. */
function endTurns(): void {
  vi.runAllTimers();
}
