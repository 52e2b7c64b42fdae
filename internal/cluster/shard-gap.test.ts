import { describe, expect, it } from 'vitest';
import { MovableClock } from '../lib/clock.ts';
import { batchMessage, markerMessage, NOBODY } from './messages.ts';
import { Pack } from './packed-batches.ts';
import { Shard } from './shard.ts';
import { ShardState } from './shard-state.ts';
import type { ShardStream, StoredMessage } from './stream.ts';

/** A stream of three batches whose follower passes over the second, as one on a damaged replica does. */
function damagedStream(mended: boolean, isAway: () => boolean) {
  const bytes = new Uint8Array(10);
  const batch = (offset: number) => ({
    baseOffset: offset,
    lastOffset: offset,
    count: 1,
    maxTimestamp: 1,
    bytes,
  });
  const stored: StoredMessage[] = [
    markerMessage({ epoch: 1, number: 0 }, 7),
    ...[0, 1, 2].map((offset) =>
      batchMessage({ epoch: 1, number: offset + 1 }, 5, new Pack(batch(offset), 1, offset * 10)),
    ),
  ].map((message, index) => ({ ...message, sequence: index + 1 }));
  const missing = stored[2]!;
  let reads = 0;
  const stream: ShardStream = {
    lastSequence: async () => stored.length,
    publish: async () => ({ kind: 'unknown', reason: 'not asked' }),
    async readBetween(after, last) {
      if (isAway()) throw new Error('JetStream does not answer');
      reads++;
      const isWhole = mended && reads > 3;
      return stored.filter(
        (message) => message.sequence > after && message.sequence <= last && (isWhole || message !== missing),
      );
    },
    follow(after, take) {
      for (const message of stored) {
        if (message === missing || message.sequence <= after()) continue;
        if (!take(message)) break;
      }
      return () => {};
    },
    async changeLeader() {},
  };
  return stream;
}

async function follow(mended: boolean, isAway = () => false) {
  const clock = new MovableClock();
  const damage: number[][] = [];
  const shard = new Shard({
    ...{ node: 3, stream: damagedStream(mended, isAway), clock },
    events: { applied() {}, ownership() {}, damaged: (...where) => damage.push(where) },
  });
  shard.follow();
  for (let tries = 0; tries < 40; tries++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
  }
  return { shard, damage };
}

describe('a follower that passes over a batch', () => {
  it('reads it from another replica', async () => {
    const { shard, damage } = await follow(true);
    expect(shard.state.partition(5)?.nextOffset).toBe(3);
    expect(damage).toEqual([]);
  });

  // A broker that had been stopped told of damage, as nobody answered it for two seconds.
  it('takes nothing for damaged as long as nobody answers', async () => {
    let asked = 0;
    const { shard, damage } = await follow(true, () => asked++ < 30);
    expect(shard.state.partition(5)?.nextOffset).toBe(3);
    expect(damage).toEqual([]);
  });

  it('takes up nothing behind it where none has it, and says where it is', async () => {
    const { shard, damage } = await follow(false);
    expect(shard.state.partition(5)?.nextOffset).toBe(1);
    expect(damage).toEqual([[5, 1, 1]]);
    expect(await shard.claim()).toBe(false);
  });
});

/*
 * A replica that is damaged passes over a marker as well, and offsets follow on each other without it: a claim with an epoch that
 * another owner has would make two owners of one.
 */
it('a marker that a follower never saw has taken its epoch', () => {
  const state = new ShardState();
  const batch = { baseOffset: 0, lastOffset: 0, count: 1, maxTimestamp: 1, bytes: new Uint8Array(10) };
  state.apply({ ...markerMessage({ epoch: 4, number: 0 }, 7), sequence: 1 });
  expect([state.owner, state.epoch]).toEqual([7, 4]);
  state.apply({ ...batchMessage({ epoch: 5, number: 1 }, 5, new Pack(batch, 1, 0)), sequence: 3 });
  expect([state.owner, state.epoch]).toEqual([NOBODY, 5]);
  state.apply({ ...markerMessage({ epoch: 5, number: 2 }, 8), sequence: 4 });
  expect([state.owner, state.epoch]).toEqual([8, 5]);
});
