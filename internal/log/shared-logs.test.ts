import { describe, expect, it } from 'vitest';
import { openLogs, turn } from '../../test/support/logs.ts';
import { TryingStore } from '../../test/support/trying-store.ts';
import type { StoredPartition } from '../store/log-store.ts';
import { StoreError } from '../store/store-error.ts';
import type { Leader } from './leadership.ts';
import type { UnplacedBatch } from './partition-log.ts';

/** A store that another node writes to as well. */
class SharedStore extends TryingStore {
  readonly limits = { maxBatchBytes: 1_000, canReplace: false };
  confirmed = 0;
  isReplaced = false;

  async confirm(): Promise<void> {
    this.confirmed++;
    if (this.isReplaced) throw new StoreError('not-leader', 'another node leads it');
  }

  /** The state of a partition as another node leaves it. */
  async stored(name: string, number = 0): Promise<StoredPartition> {
    const { topics } = await this.open();
    return topics.find((topic) => topic.name === name)!.partitions[number]!;
  }
}

const batch = (count: number, firstSequence?: number): UnplacedBatch => ({
  bytes: new Uint8Array(100),
  count,
  maxTimestamp: 5,
  producer: firstSequence === undefined ? undefined : { id: 9, epoch: 0, firstSequence },
});

/** Logs whose partitions this node leads, until a test says otherwise. */
async function shared() {
  const store = new SharedStore();
  const forwarded: [number, UnplacedBatch][] = [];
  const deleted: [number, number][] = [];
  let leader: Leader = 'here';
  const { logs } = await openLogs(
    {
      leadership: { leaderOf: () => leader },
      elsewhere: {
        forward: async (partition, given) => {
          forwarded.push([partition, given]);
          return 70;
        },
        deleteUntil: async (partition, offset) => {
          deleted.push([partition, offset]);
        },
      },
    },
    store,
  );
  const topic = await logs.createTopic('t', 1, {});
  const [partition] = topic.partitions;
  const lead = (now: Leader) => {
    leader = now;
  };
  return { store, logs, topic, partition: partition!, forwarded, deleted, lead };
}

describe('a partition that another node begins to lead', () => {
  it('has what is appended here given to that one', async () => {
    const { store, partition, forwarded, lead } = await shared();
    expect(await partition.append(batch(3))).toBe(0);
    lead(2);
    store.emit({ kind: 'follows', partition: partition.id, leaderEpoch: 4 });
    const given = { ...batch(1), isPublished: true };
    expect(await partition.append(given)).toBe(70);
    expect(forwarded).toEqual([[partition.id, given]]);
    expect([partition.leaderEpoch, partition.highWatermark, store.appends]).toEqual([4, 3, 1]);
  });

  it('has what that one took away before it was stored given to it too, unless it comes from another node', async () => {
    const { store, partition, forwarded } = await shared();
    store.append = () => Promise.reject(new StoreError('not-leader', 'another node leads it'));
    const given = batch(1);
    expect(await partition.append(given)).toBe(70);
    expect(forwarded).toEqual([[partition.id, given]]);
    await expect(partition.appendHere(batch(1))).rejects.toMatchObject({ code: 'not-leader' });
    expect(forwarded.length).toBe(1);
  });

  it('has that one delete what clients delete here', async () => {
    const { partition, deleted, lead } = await shared();
    await partition.append(batch(3));
    lead(2);
    await partition.deleteUntil(2);
    expect(deleted).toEqual([[partition.id, 2]]);
    expect(partition.firstOffset).toBe(0);
  });

  it('is read here as far as that one has written it', async () => {
    const { store, partition, lead } = await shared();
    await partition.append(batch(3));
    lead(2);
    const woken: number[] = [];
    partition.onAdvance(() => woken.push(partition.highWatermark));
    await store.append(partition.id, { ...batch(2), baseOffset: 3, lastOffset: 4, producer: undefined });
    const more = { partition: partition.id, nextOffset: 5, maxTimestamp: 8, sizeBytes: 200 };
    store.emit({ kind: 'advanced', ...more });
    store.emit({ kind: 'advanced', ...more, nextOffset: 4 });
    await turn();
    expect(woken).toEqual([5]);
    expect([partition.maxTimestamp, partition.sizeBytes]).toEqual([8, 200]);
    const read = await partition.read(1, 1e6);
    expect(read.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([
      [0, 2],
      [3, 4],
    ]);
    store.emit({ kind: 'truncated', partition: partition.id, firstOffset: 3, sizeBytes: 100 });
    expect([partition.firstOffset, partition.sizeBytes]).toEqual([3, 100]);
  });

  it('is led here again with what that one has written', async () => {
    const { store, partition, lead } = await shared();
    await partition.append(batch(1, 0));
    lead(2);
    await store.append(partition.id, { ...batch(2), baseOffset: 1, lastOffset: 2, producer: undefined });
    store.emit({ kind: 'leads', partition: { ...(await store.stored('t')), leaderEpoch: 6 } });
    lead('here');
    expect(await partition.append(batch(1, 1))).toBe(3);
    expect(await partition.append(batch(1, 0)), 'a batch that came before').toBe(0);
    expect(partition.leaderEpoch).toBe(6);
  });

  it('has readers that wait here told of it', async () => {
    const { store, partition, lead } = await shared();
    let woken = 0;
    partition.onAdvance(() => woken++);
    lead('nobody');
    store.emit({ kind: 'follows', partition: partition.id, leaderEpoch: 1 });
    await turn();
    expect(woken).toBe(1);
  });
});

describe('a sequence that is out of order', () => {
  it('is refused when it is certain that this node leads', async () => {
    const { store, partition } = await shared();
    await partition.append(batch(1, 0));
    await expect(partition.append(batch(1, 5))).rejects.toMatchObject({ code: 'out-of-order' });
    expect(store.confirmed).toBe(1);
  });

  /** A real client gives up for good, though the node that leads now has all batches. */
  it('is not said by a node that was replaced and does not know it', async () => {
    const { store, partition, forwarded } = await shared();
    await partition.append(batch(1, 0));
    store.isReplaced = true;
    await expect(partition.appendHere(batch(1, 5))).rejects.toMatchObject({ code: 'not-leader' });
    expect(await partition.append(batch(1, 5)), 'what the other one says').toBe(70);
    expect(forwarded.length).toBe(1);
  });
});

describe('topics that another node changes', () => {
  const created = (name: string, mark: number) => ({
    ...{ name, topicId: new Uint8Array(16).fill(mark), configs: {}, createdAtMs: 1 },
    partitionCount: 1,
  });

  it('come, grow, are configured and go', async () => {
    const { store, logs } = await shared();
    const grown: string[] = [];
    const deleted: string[] = [];
    logs.onGrown(({ name }, added) => grown.push(`${name} ${added.map(({ number }) => number)}`));
    logs.onDeleted(({ name }) => deleted.push(name));
    store.emit({ kind: 'topic', topic: await store.createTopic(created('u', 1)) });
    store.emit({ kind: 'grown', topic: 'u', partitions: await store.addPartitions('u', 3) });
    store.emit({ kind: 'altered', topic: 'u', configs: { 'retention.ms': '5' } });
    expect(logs.topic('u')!.settings.retentionMs).toBe(5);
    const { id } = logs.topic('u')!.partitions[2]!;
    expect(logs.partition(id)!.number).toBe(2);
    store.emit({ kind: 'deleted', topic: 'u' });
    store.emit({ kind: 'deleted', topic: 'u' });
    expect([logs.topic('u'), logs.partition(id)]).toEqual([undefined, undefined]);
    expect([grown, deleted]).toEqual([['u 0', 'u 1,2'], ['u']]);
  });

  it('are one, where this node and another want to make it at once', async () => {
    const { store, logs } = await shared();
    const first = await store.createTopic(created('u', 1));
    const making = logs.topicOrNew('u');
    store.emit({ kind: 'topic', topic: first });
    expect((await making).topicId).toBe(logs.topic('u')!.topicId);
  });

  it('are not made twice, where what this node has made is told of too', async () => {
    const { store, logs, topic } = await shared();
    const { topics } = await store.open();
    store.emit({ kind: 'topic', topic: topics[0]! });
    store.emit({ kind: 'grown', topic: 't', partitions: topics[0]!.partitions });
    expect(logs.topic('t')).toBe(topic);
    expect(topic.partitions).toHaveLength(1);
  });

  it('are another one, where one was deleted and made again', async () => {
    const { store, logs, topic } = await shared();
    const topicId = new Uint8Array(16).fill(7);
    const { topics } = await store.open();
    const partitions = topics[0]!.partitions.map((partition) => ({ ...partition, id: 99 }));
    store.emit({ kind: 'topic', topic: { ...topics[0]!, topicId, partitions } });
    expect(logs.topic('t')).not.toBe(topic);
    expect(topic.partitions[0]!.isEnded).toBe(true);
  });
});

describe('what the store cannot do', () => {
  it('bounds batches', async () => {
    const { topic } = await shared();
    expect(topic.settings.maxBatchBytes).toBe(1_000);
  });

  it('refuses a batch that is too large here, and neither waits for it nor loses those beside it', async () => {
    const { partition, forwarded, lead } = await shared();
    const large: UnplacedBatch = { bytes: new Uint8Array(1_001), count: 1, maxTimestamp: 5 };
    const refused = { code: 'batch-too-large', message: expect.stringContaining('takes at most 1000') };
    const before = partition.append(batch(2));
    await expect(partition.append(large)).rejects.toMatchObject(refused);
    expect([await before, await partition.append(batch(1))]).toEqual([0, 2]);
    lead(2);
    await expect(partition.append(large)).rejects.toMatchObject(refused);
    expect(forwarded).toEqual([]);
  });

  it('is refused, as compaction is', async () => {
    const { logs, topic } = await shared();
    const refused = { code: 'unsupported' };
    await expect(logs.createTopic('c', 1, { 'cleanup.policy': 'compact' })).rejects.toMatchObject(refused);
    await expect(logs.setConfig(topic, 'cleanup.policy', 'compact,delete')).rejects.toMatchObject(refused);
    expect(topic.configs).toEqual({});
  });
});
