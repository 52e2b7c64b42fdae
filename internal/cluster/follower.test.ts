import { afterEach, describe, expect, it, vi } from 'vitest';
import { followerBeatMs, followerDelayMs, followerLookMs } from '../limits/cluster.ts';
import { follow, lastOfSubjects } from './follower.ts';
import type { JetStream } from './jetstream.ts';

/*
 * A node gave a shard to another one again and again: the other one followed a replica that was behind and said that nothing was
 * new, so it did not see that the shard lacked an owner. A NATS server that was killed comes back so.
 */

afterEach(() => void vi.useRealTimers());

/** Consumers that all beat; the messages of the stream come to those that are made when its replica has them. */
function fakeStream() {
  const consumers: { deliver(sequence: number): void; beat(): void }[] = [];
  const stream = { leaderHas: 0, replicaHas: 0, consumers, loses: (_sequence: number) => false };
  const inboxes = new Map<string, (error: undefined, message: object) => void>();
  const connection = {
    isClosed: () => false,
    subscribe(inbox: string, { callback }: { callback: (error: undefined, message: object) => void }) {
      inboxes.set(inbox, callback);
      let isClosed = false;
      return {
        isClosed: () => isClosed,
        unsubscribe() {
          isClosed = true;
          inboxes.delete(inbox);
        },
      };
    },
  };
  const jetStream = {
    connection,
    lastSequence: async () => stream.replicaHas,
    subjects: async () => new Map(),
    has: async (_stream: string, _filter: string, sequence: number) => sequence <= stream.leaderHas,
    async ask(_what: string, { config }: { config: { deliver_subject: string; opt_start_seq?: number } }) {
      const tell = (message: object) => inboxes.get(config.deliver_subject)?.(undefined, message);
      let delivered = 0;
      const said = (name: string) => (name === 'Nats-Last-Consumer' ? String(delivered) : '');
      consumers.push({
        deliver(sequence) {
          const reply = `$JS.ACK.L.c.1.${sequence}.${++delivered}.0.${stream.replicaHas - sequence}`;
          if (!stream.loses(sequence)) tell({ subject: 's', data: new Uint8Array(0), reply });
        },
        beat: () => tell({ headers: { code: 100, description: 'Idle Heartbeat', get: said } }),
      });
      const consumer = consumers.at(-1)!;
      const first = config.opt_start_seq ?? 1;
      queueMicrotask(() => {
        for (let next = first; next <= stream.replicaHas; next++) consumer.deliver(next);
      });
      return { num_pending: Math.max(0, stream.replicaHas + 1 - first) };
    },
  };
  return { stream, jetStream: jetStream as unknown as JetStream };
}

async function beatFor(stream: ReturnType<typeof fakeStream>['stream'], ms: number): Promise<void> {
  for (let at = 0; at < ms; at += followerBeatMs) {
    for (const consumer of stream.consumers) consumer.beat();
    await vi.advanceTimersByTimeAsync(followerBeatMs);
  }
}

it('another consumer takes the place of one that is on a replica which is behind', async () => {
  vi.useFakeTimers();
  const { stream, jetStream } = fakeStream();
  let applied = 0;
  const end = follow(
    jetStream,
    { stream: 'L', isHeadersOnly: true },
    () => applied,
    ({ sequence }) => {
      applied = sequence;
      return true;
    },
  );
  stream.leaderHas = 3;
  await beatFor(stream, 2 * followerLookMs + followerDelayMs);
  expect([applied, stream.consumers.length]).toEqual([0, 2]);
  stream.replicaHas = 3;
  await beatFor(stream, 2 * followerLookMs + followerDelayMs);
  expect(applied).toBe(3);
  const { length } = stream.consumers;
  await beatFor(stream, 10 * followerLookMs);
  expect(stream.consumers.length).toBe(length);
  end();
  stream.leaderHas = 4;
  await beatFor(stream, 10 * followerLookMs);
  expect(stream.consumers.length).toBe(length);
});

/*
 * What is sent while a node goes to another server is lost without a word. A node that missed the marker of an owner, and nothing that
 * was written to the same partitions, said for as long as it ran that nobody leads the shard.
 */
describe('a message that is lost on the way', () => {
  it.each([
    ['before those behind it', [2]],
    ['too where nothing follows it', [3, 4]],
  ])('comes from another consumer, %s', async (_, lost) => {
    vi.useFakeTimers();
    const { stream, jetStream } = fakeStream();
    const taken: number[] = [];
    const end = follow(
      jetStream,
      { stream: 'L', isHeadersOnly: true },
      () => taken.at(-1) ?? 0,
      ({ sequence }) => taken.push(sequence) > 0,
    );
    stream.leaderHas = 4;
    stream.replicaHas = 4;
    stream.loses = (sequence) => lost.includes(sequence) && stream.consumers.length === 1;
    await beatFor(stream, 2 * followerBeatMs);
    end();
    expect(taken).toEqual([1, 2, 3, 4]);
  });

  it.each([[[2]], [[4]]])('leaves no list that is taken for all: %j', async (lost) => {
    vi.useFakeTimers();
    const { stream, jetStream } = fakeStream();
    stream.replicaHas = 4;
    stream.loses = (sequence) => lost.includes(sequence);
    const reading = lastOfSubjects(jetStream, { stream: 'L', isHeadersOnly: true });
    const refused = expect(reading).rejects.toThrow('lost');
    await vi.advanceTimersByTimeAsync(1);
    await beatFor(stream, followerBeatMs);
    await refused;
  });
});

/*
 * Where a replica lacked a message, each look at the leader began a consumer beside the one that was to begin by itself, and
 * every one of them began again and again.
 */
it('there is one consumer at a time, also where a message is missing for long', async () => {
  vi.useFakeTimers();
  const { stream, jetStream } = fakeStream();
  stream.leaderHas = 3;
  stream.replicaHas = 3;
  const end = follow(
    jetStream,
    { stream: 'L', isHeadersOnly: true },
    () => 0,
    () => false,
  );
  await vi.advanceTimersByTimeAsync(60_000);
  // Each begins a beat after the one before was lost, and no sooner than a look at the leader asks for it.
  const most = 60_000 / followerBeatMs + 60_000 / followerLookMs;
  expect(stream.consumers.length).toBeGreaterThan(10);
  expect(stream.consumers.length).toBeLessThanOrEqual(most + 2);
  end();
});

/* Reading went on while a node ended: a timer was left, which threw once a second for as long as the app went on. */
it('a consumer of a connection that is closed is lost, and leaves nothing behind', async () => {
  vi.useFakeTimers();
  const { jetStream } = fakeStream();
  Object.assign(jetStream.connection, { isClosed: () => true });
  const reading = lastOfSubjects(jetStream, { stream: 'L', isHeadersOnly: true });
  await expect(reading).rejects.toThrow('closed');
  expect(vi.getTimerCount()).toBe(0);
});
