import { expect, it } from 'vitest';
import { MovableClock } from '../lib/clock.ts';
import { roundRetryMs } from '../limits/cluster.ts';
import { markerMessage } from './messages.ts';
import { ShardWriter } from './shard-writer.ts';
import type { ShardMessage, ShardStream } from './stream.ts';

/*
 * Of what a follower sees of its own messages some may be missing, as its replica passed over them. The writer settled one message for
 * each that was seen, so that one of those behind it was written a second time.
 */
it('what lies before a message that is stored is stored too, and is not written again', async () => {
  const published: (readonly ShardMessage[])[] = [];
  const stream: Partial<ShardStream> = {
    publish(messages) {
      published.push(messages);
      return new Promise(() => {});
    },
  };
  const writer = new ShardWriter({
    ...{ stream: stream as ShardStream, clock: new MovableClock(), epoch: 1, tail: 10 },
    takeUp() {},
    ended() {},
  });
  const settled: number[] = [];
  for (let index = 0; index < 3; index++) {
    const writing = writer.write((id) => markerMessage(id, index));
    void writing.then((sequence) => settled.push(sequence));
  }
  await new Promise(setImmediate);
  writer.stored(2, 12);
  await new Promise(setImmediate);
  expect(settled).toEqual([12, 12]);
  expect(writer.waiting).toBe(1);
  writer.stored(2, 12);
  writer.stored(3, 13);
  await new Promise(setImmediate);
  expect(settled).toEqual([12, 12, 13]);
  expect([writer.waiting, writer.waitingBytes]).toEqual([0, 0]);
});

/*
 * After an election of JetStream the first write came up to three seconds late: a question that was asked while nobody led was waited for.
 */
it('what nobody heard is written again without a look at what is stored', async () => {
  const clock = new MovableClock();
  const outcomes = [{ kind: 'unheard' }, { kind: 'unheard' }, { kind: 'stored', last: 11 }] as const;
  let published = 0;
  const stream: Partial<ShardStream> = {
    publish: async () => outcomes[published++]!,
    lastSequence: () => new Promise(() => {}),
  };
  const writer: ShardWriter = new ShardWriter({
    ...{ stream: stream as ShardStream, clock, epoch: 1, tail: 10 },
    takeUp: ([message]) => writer.stored(1, message!.sequence),
    ended() {},
  });
  const writing = writer.write((id) => markerMessage(id, 7));
  for (let tries = 0; tries < outcomes.length; tries++) {
    await new Promise(setImmediate);
    clock.advance(roundRetryMs);
  }
  expect(await writing).toBe(11);
  expect(published).toBe(3);
});
