import { expect, it } from 'vitest';
import { MovableClock } from '../lib/clock.ts';
import { contradictionMs } from '../limits/cluster.ts';
import { markerMessage } from './messages.ts';
import { Shard } from './shard.ts';
import type { ShardMessage, ShardStream, StoredMessage } from './stream.ts';

/** A stream whose leader counts messages that came to nothing, until another one leads. */
class MiscountingStream implements ShardStream {
  readonly stored: StoredMessage[] = [{ ...markerMessage({ epoch: 1, number: 0 }, 7), sequence: 1 }];
  changes = 0;

  async lastSequence() {
    return this.stored.length;
  }

  async publish([message]: readonly ShardMessage[], expectedLast: number) {
    if (this.changes === 0 || expectedLast !== this.stored.length) return { kind: 'refused' } as const;
    this.stored.push({ ...message!, sequence: this.stored.length + 1 });
    return { kind: 'stored', last: this.stored.length } as const;
  }

  async readBetween(after: number, last: number) {
    return this.stored.slice(after, last);
  }

  follow() {
    return () => {};
  }

  async changeLeader() {
    this.changes++;
  }
}

/* After a broker and a NATS server were killed at once a shard had no owner for minutes, with a leader and two nodes that claimed it. */
it('a leader that refuses for long what it says is right is changed, and the shard has an owner', async () => {
  const clock = new MovableClock();
  const stream = new MiscountingStream();
  const shard = new Shard({ node: 3, stream, clock, events: { applied() {}, ownership() {} } });
  for (let ms = 0; ms < contradictionMs; ms += 250) {
    expect(await shard.claim()).toBe(false);
    clock.advance(250);
  }
  expect(stream.changes).toBe(0);
  await shard.claim();
  expect(stream.changes).toBe(1);
  expect(await shard.claim()).toBe(true);
  expect(shard.leader).toBe('here');
});

it('a leader that refuses as others write is left alone', async () => {
  const clock = new MovableClock();
  const stream = new MiscountingStream();
  const shard = new Shard({ node: 3, stream, clock, events: { applied() {}, ownership() {} } });
  for (let epoch = 2; epoch < 20; epoch++) {
    expect(await shard.claim()).toBe(false);
    clock.advance(contradictionMs / 2);
    stream.stored.push({ ...markerMessage({ epoch, number: 0 }, 7), sequence: epoch });
  }
  expect(stream.changes).toBe(0);
});

it("a shard that another node has claimed meanwhile is that one's", async () => {
  const stream = new MiscountingStream();
  stream.changes = 1;
  const parts = { stream, clock: new MovableClock(), events: { applied() {}, ownership() {} } };
  const [first, second] = [new Shard({ ...parts, node: 3 }), new Shard({ ...parts, node: 4 })];
  const isFree = (shard: Shard) => () => shard.state.owner === 7;
  await Promise.all([first.catchUp(), second.catchUp()]);
  expect(await first.claim(isFree(first))).toBe(true);
  expect(await second.claim(isFree(second))).toBe(false);
  expect(second.leader).toBe(3);
});

/* Each partition that a client asked for the end of was a write of its own, one after the other. */
it('whoever asks at once whether this node owns the shard is answered by one marker', async () => {
  const stream = new MiscountingStream();
  stream.changes = 1;
  const shard = new Shard({
    node: 3,
    stream,
    clock: new MovableClock(),
    events: { applied() {}, ownership() {} },
  });
  expect(await shard.claim()).toBe(true);
  const before = stream.stored.length;
  await Promise.all([shard.confirm(), shard.confirm(), shard.confirm()]);
  expect(stream.stored.length - before).toBe(1);
  await shard.confirm();
  expect(stream.stored.length - before).toBe(2);
});
