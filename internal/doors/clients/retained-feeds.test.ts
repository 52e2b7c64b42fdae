import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { accessOfTest, identityOfTest } from '../../../test/support/access.ts';
import { sessionsOf } from '../../../test/support/sessions.ts';
import { Broker } from '../../broker/broker.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import { join, simpleSubscription } from '../../broker/sessions/subscription.ts';
import { sessionSendAheadBytes } from '../../limits/broker.ts';
import { retainedPerStep } from '../../limits/doors.ts';
import { Metrics } from '../../observe/metrics.ts';
import { FrameDecoder } from '../../protocol/frame/decoder.ts';
import { MAX_PAYLOAD_BYTES } from '../../protocol/frame/frame.ts';
import { encodeMessage, frameEncoding } from '../frames/encoding.ts';
import { PlainOutlet } from './plain-outlet.ts';
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
    const { add, taken } = setUp();
    add('many', messages('many', 1_000, 1));
    add('large', messages('large', 20, LARGE_BYTES));
    endTurns();
    expect(taken.flat()).toEqual([...names('many', 1_000), ...names('large', 20)]);
    for (const step of taken) {
      expect(step.length).toBeLessThanOrEqual(retainedPerStep);
      const large = step.filter((name) => name.startsWith('large')).length;
      expect((large - 1) * LARGE_BYTES).toBeLessThan(sessionSendAheadBytes);
    }
  });

  it('wait where they are while the client takes nothing, whatever it asks for', () => {
    const { add, channel, taken, sink, dropped } = setUp();
    sink.isFull = true;
    add('a', messages('a', 2_000, 1));
    endTurns();
    const before = taken.flat().length;
    for (let time = 0; time < 10; time++) {
      add('b', messages('b', 2_000, 1));
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
    const { feeds, session, add, channel, taken, sink } = setUp();
    sink.isFull = true;
    add('a', messages('a', 2_000, 1));
    add('b', messages('b', 2_000, 1));
    endTurns();
    session.unsubscribe('a');
    sink.isFull = false;
    channel.ready();
    endTurns();
    // A slow machine hands over what the channel has in two parts.
    expect(taken.flat()).toEqual([...names('a', retainedPerStep), ...names('b', 2_000)]);
    add('b', messages('b', 2_000, 1));
    feeds.stop();
    channel.close();
    endTurns();
    expect(taken.flat()).toHaveLength(retainedPerStep + 2_000);
  });
});

function setUp() {
  const sink = { isFull: false };
  const taken: string[][] = [];
  const decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);
  const limits = {
    maxClients: 10,
    channelSize: 100,
    channelBytes: 1_000_000,
    slowConsumer: 'drop-new',
    slowConsumerWaitMs: 10,
  } as const;
  const metrics = new Metrics();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const broker = new Broker({ settings: limits, metrics, logger });
  const write = (buffers: readonly Uint8Array[]) => {
    taken.push(decoder.frames(Buffer.concat(buffers)).map(({ topic }) => topic));
    return !sink.isFull;
  };
  const host = { write, standingFilters: () => [], refuse() {} };
  const { channel } = broker.connect({ access: accessOfTest('reader'), encoding: frameEncoding, host });
  const session = sessionsOf(broker, metrics).passing(
    identityOfTest('reader'),
    new PlainOutlet(channel, encodeMessage),
  );
  const feeds: RetainedFeeds = new RetainedFeeds({ broker, session, channel }, () => feeds.send());

  function add(filter: string, retained: Generator<Message>): void {
    session.subscribe(simpleSubscription(filter));
    session.beginFeed(filter, { messages: retained, match: join([simpleSubscription(filter)])! });
    feeds.send();
  }

  const dropped = () => metrics.snapshot().messages_dropped_total;
  return { feeds, session, add, channel, taken, sink, dropped };
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
