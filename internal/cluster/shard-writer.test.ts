import { expect, it } from 'vitest';
import { MovableClock } from '../lib/clock.ts';
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
