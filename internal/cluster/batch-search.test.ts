import { expect, it } from 'vitest';
import type { NewBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import { BatchSearch } from './batch-search.ts';
import type { JetStreamShard } from './jetstream-shard.ts';
import { batchMessage } from './messages.ts';
import { Pack } from './packed-batches.ts';
import { ShardState } from './shard-state.ts';
import type { StoredMessage } from './stream.ts';

const PARTITION = 8;

function batch(baseOffset: number, count: number): NewBatch {
  return {
    baseOffset,
    lastOffset: baseOffset + count - 1,
    count,
    maxTimestamp: 5,
    bytes: Buffer.alloc(10, baseOffset),
  };
}

/** Messages of two batches each, with 4 offsets. @param change what becomes of their bodies. */
function searched(count: number, change: (body: Uint8Array, index: number) => Uint8Array): BatchSearch {
  const state = new ShardState();
  const stored: StoredMessage[] = [];
  for (let index = 0; index < count; index++) {
    const pack = new Pack(batch(4 * index, 1), 5, 20 * index);
    pack.add(batch(4 * index + 1, 3), 5);
    const message = batchMessage({ epoch: 1, number: index + 1 }, PARTITION, pack);
    const sequence = index + 1;
    stored.push({ ...message, sequence, body: change(message.body, index) });
    state.apply({ ...message, sequence });
  }
  const stream: Pick<JetStreamShard, 'nextOf' | 'batchesOf'> = {
    nextOf: async (_partition, sequence) => stored.find((each) => each.sequence >= sequence),
    batchesOf: async (_partition, sequence) => stored.filter((each) => each.sequence >= sequence),
  };
  return new BatchSearch(stream as JetStreamShard, state);
}

const offsets = (batches: readonly { baseOffset: number }[]) => batches.map(({ baseOffset }) => baseOffset);

it('finds the batches of messages that hold several', async () => {
  const search = searched(3, (body) => body);
  expect(offsets(await search.read(PARTITION, 0, 1_000))).toEqual([0, 1, 4, 5, 8, 9]);
  expect(offsets(await search.read(PARTITION, 6, 1_000))).toEqual([5, 8, 9]);
});

it.each<[string, (body: Uint8Array) => Uint8Array]>([
  ['cut off', (body) => body.subarray(0, -1)],
  ['nothing', () => new Uint8Array(0)],
  ['longer', (body) => Buffer.concat([body, Buffer.of(0)])],
  ['of another length', (body) => Buffer.concat([Buffer.of(0, 0, 0, 11), body.subarray(4)])],
  [
    'without an end',
    (body) => Buffer.concat([body.subarray(0, 8), Buffer.alloc(8, 0xff), body.subarray(16)]),
  ],
])(
  'tells of damage where the body of a message is %s, and gives what is around it',
  async (_what, change) => {
    const search = searched(3, (body, index) => (index === 1 ? change(body) : body));
    expect(offsets(await search.read(PARTITION, 0, 1_000))).toEqual([0, 1]);
    const damage = await search.read(PARTITION, 4, 1_000).catch((error) => error);
    expect(damage).toBeInstanceOf(CorruptBatchError);
    expect(damage).toMatchObject({ baseOffset: 4, lastOffset: 7 });
    expect(offsets(await search.read(PARTITION, 8, 1_000))).toEqual([8, 9]);
  },
);
