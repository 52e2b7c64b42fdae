import { describe, expect, it, vi } from 'vitest';
import { openLogs } from '../../test/support/logs.ts';
import { buildBatch } from '../batch/build.ts';
import { records } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { StoredBatch } from '../store/log-store.ts';
import type { TopicLog } from './logs.ts';

const COMPACTED = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' };
const NOW_MS = 1_800_000_000_000;

async function append(topic: TopicLog, key: string, value: string | null, timestamp = NOW_MS): Promise<void> {
  const bytes = buildBatch([
    { timestamp, key: Buffer.from(key), value: value === null ? null : Buffer.from(value) },
  ]);
  await topic.partitions[0].append({ bytes, count: 1, maxTimestamp: timestamp });
}

function pairs(batches: readonly StoredBatch[]): [number, string, string | null][] {
  return batches.flatMap(({ bytes }) =>
    [...records(bytes, parseBatchHeader(bytes, 0), 1e6)].map(
      ({ offset, key, value }): [number, string, string | null] => [
        offset,
        Buffer.from(key!).toString(),
        value === null ? null : Buffer.from(value).toString(),
      ],
    ),
  );
}

/** What a reader finds that begins at an offset and goes on to the end. */
async function read(topic: TopicLog, fromOffset = 0): Promise<[number, string, string | null][]> {
  const partition = topic.partitions[0];
  const found: StoredBatch[] = [];
  for (let next = fromOffset; next < partition.highWatermark; ) {
    const batches = await partition.read(next, 100);
    expect(batches.length).toBeGreaterThan(0);
    found.push(...batches);
    next = batches.at(-1)!.lastOffset + 1;
  }
  return pairs(found);
}

describe('a topic with cleanup.policy=compact', () => {
  it('keeps the last record of each key, for readers near the end as well, and nothing goes by age', async () => {
    const { logs, log } = await openLogs({ retentionMs: 1000, retentionBytes: 1 });
    const topic = await logs.createTopic('a', 1, COMPACTED);
    for (const [key, value] of ['a1', 'b1', 'a2', 'b2', 'a3']) await append(topic, key, value, 1);
    expect(await read(topic)).toHaveLength(5);
    await logs.applyRetention(NOW_MS);
    const left = [
      [3, 'b', '2'],
      [4, 'a', '3'],
    ];
    expect(await read(topic)).toEqual(left);
    expect(await read(topic, 2)).toEqual(left);
    expect(log.lines).toEqual(['info: a log was compacted']);
    expect(log.fields).toEqual([expect.objectContaining({ log: 'a', partition: 0, passes: 1 })]);
    await logs.applyRetention(NOW_MS);
    expect(log.lines).toHaveLength(1);
    await append(topic, 'b', '3');
    expect(await read(topic)).toHaveLength(3);
    await logs.applyRetention(NOW_MS);
    expect(await read(topic)).toEqual([
      [4, 'a', '3'],
      [5, 'b', '3'],
    ]);
  });

  it.each(['__transaction_state', '__share_group_state'])(
    'is left alone where it is one that Kafka keeps for itself: %s',
    async (name) => {
      const { logs } = await openLogs({ retentionMs: 1 });
      const topic = await logs.createTopic(name, 1, COMPACTED);
      for (const value of ['1', '2', '3']) await append(topic, 'a', value, 1);
      await logs.applyRetention(NOW_MS);
      expect(await read(topic)).toHaveLength(3);
    },
  );

  // What groups commit to a Kafka's directory is appended there, and nobody else would ever make it smaller.
  it('is compacted where it is __consumer_offsets, to which groups commit', async () => {
    const { logs } = await openLogs({ retentionMs: 1 });
    const topic = await logs.createTopic('__consumer_offsets', 1, COMPACTED);
    for (const value of ['1', '2', '3']) await append(topic, 'a', value, 1);
    await logs.applyRetention(NOW_MS);
    expect(await read(topic)).toEqual([[2, 'a', '3']]);
  });

  it('is compacted as the configs say that hold now', async () => {
    const { logs } = await openLogs();
    const topic = await logs.createTopic('a', 1, {});
    for (const value of ['1', '2', '3']) await append(topic, 'a', value);
    await logs.applyRetention(NOW_MS);
    expect(await read(topic)).toHaveLength(3);
    await logs.setConfigs(topic, { ...COMPACTED, 'min.compaction.lag.ms': '1000' });
    await logs.applyRetention(NOW_MS + 999);
    expect(await read(topic)).toHaveLength(3);
    await logs.applyRetention(NOW_MS + 1000);
    expect(await read(topic)).toHaveLength(1);
  });

  it('goes by age and size too where it is compact,delete', async () => {
    const { logs } = await openLogs();
    const configs = { ...COMPACTED, 'cleanup.policy': 'compact,delete', 'retention.ms': '1000' };
    const topic = await logs.createTopic('a', 1, configs);
    for (const key of ['a', 'b', 'c']) await append(topic, key, '1', NOW_MS - 2000);
    for (const key of ['d', 'd', 'e']) await append(topic, key, '2', NOW_MS);
    await logs.applyRetention(NOW_MS);
    expect((await read(topic)).map(([offset]) => offset)).toEqual([4, 5]);
  });

  it('goes on from where it was after a restart', async () => {
    const { logs, store } = await openLogs();
    const topic = await logs.createTopic('a', 1, { ...COMPACTED, 'delete.retention.ms': '1000' });
    for (const value of ['1', '2', null, '3']) await append(topic, value === '3' ? 'b' : 'a', value);
    await logs.applyRetention(NOW_MS);
    expect(await read(topic)).toHaveLength(2);
    await logs.close();
    const { logs: again } = await openLogs({}, store);
    const found = again.topic('a')!;
    await again.applyRetention(NOW_MS + 999);
    expect(await read(found)).toEqual([
      [2, 'a', null],
      [3, 'b', '3'],
    ]);
    await again.applyRetention(NOW_MS + 1000);
    expect(await read(found)).toEqual([[3, 'b', '3']]);
  });

  it('leaves nothing behind when it is deleted', async () => {
    const { logs, store } = await openLogs();
    const topic = await logs.createTopic('a', 1, COMPACTED);
    for (const value of ['1', '2', '3']) await append(topic, 'a', value);
    await logs.applyRetention(NOW_MS);
    const { id } = topic.partitions[0];
    expect(await store.getMeta(`compaction/${id}`)).toBeDefined();
    await logs.deleteTopic(topic);
    expect(await store.getMeta(`compaction/${id}`)).toBeUndefined();
  });

  it('shows readers in the middle what was or what is, while records are appended', async () => {
    const { logs } = await openLogs({ tailCacheBytes: 20_000 });
    const topic = await logs.createTopic('a', 1, COMPACTED);
    const history: string[] = [];
    const more = async (count: number) => {
      for (; count > 0; count--) {
        const key = String((history.length * 7) % 13);
        history.push(key);
        await append(topic, key, String(history.length - 1));
      }
    };
    await more(200);
    for (let round = 0; round < 5; round++) {
      const [, ...readers] = await Promise.all([
        Promise.all([logs.applyRetention(NOW_MS), more(50)]),
        ...Array.from({ length: 10 }, (_, index) => read(topic, index * 20)),
      ]);
      for (const [index, found] of readers.entries()) {
        const offsets = found.map(([offset]) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        for (const [offset, key, value] of found)
          expect([key, value]).toEqual([history[offset], String(offset)]);
        // The last record of each key in what was there when it began.
        const end = 200 + round * 50;
        for (const key of new Set(history.slice(index * 20, end))) {
          expect(found.findLast((record) => record[1] === key)![0]).toBeGreaterThanOrEqual(
            history.slice(0, end).lastIndexOf(key),
          );
        }
      }
    }
  });

  it('that cannot be compacted is told, and the others are', async () => {
    const { logs, store, log } = await openLogs();
    const [one, other] = [
      await logs.createTopic('a', 1, COMPACTED),
      await logs.createTopic('b', 1, COMPACTED),
    ];
    for (const topic of [one, other]) for (const value of ['1', '2']) await append(topic, 'a', value);
    vi.spyOn(store, 'replace').mockRejectedValueOnce(new Error('no'));
    await logs.applyRetention(NOW_MS);
    expect(log.lines).toEqual(['error: a log could not be compacted', 'info: a log was compacted']);
    expect(log.fields[0]).toEqual({ log: 'a', partition: 0, error: 'no' });
    expect([(await read(one)).length, (await read(other)).length]).toEqual([2, 1]);
  });
});

describe('retention', () => {
  it('does not look at partitions in which nothing is too old or too much yet', async () => {
    const { logs, store } = await openLogs({ retentionMs: 1000, retentionBytes: 1_000_000 });
    await logs.createTopic('empty', 5, {});
    const topic = await logs.createTopic('a', 1, {});
    await append(topic, 'a', '1', NOW_MS);
    await append(topic, 'a', '2', NOW_MS + 500);
    const looked = [vi.spyOn(store, 'batchForTime'), vi.spyOn(store, 'offsetForSize')];
    const looks = () =>
      looked.map((spy) => spy.mock.calls.filter(([id]) => id === topic.partitions[0].id).length);
    await logs.applyRetention(NOW_MS);
    expect(looks()).toEqual([1, 1]);
    await logs.applyRetention(NOW_MS + 1000);
    expect([looks(), topic.partitions[0].firstOffset]).toEqual([[1, 1], 0]);
    await logs.applyRetention(NOW_MS + 1001);
    expect([looks(), topic.partitions[0].firstOffset]).toEqual([[2, 1], 1]);
    await append(topic, 'a', '3', NOW_MS + 600);
    await logs.applyRetention(NOW_MS + 1500);
    expect([looks(), topic.partitions[0].firstOffset]).toEqual([[2, 2], 1]);
    await logs.applyRetention(NOW_MS + 1501);
    expect([looks(), topic.partitions[0].firstOffset]).toEqual([[3, 2], 2]);
    expect(looked[0].mock.calls.every(([id]) => id === topic.partitions[0].id)).toBe(true);
  });

  it('looks again where records went by other ways, or the settings are others', async () => {
    const { logs } = await openLogs();
    const topic = await logs.createTopic('a', 1, { 'retention.ms': '1000' });
    for (const age of [0, 500, 900]) await append(topic, 'a', '1', NOW_MS - age);
    await logs.applyRetention(NOW_MS);
    await topic.partitions[0].deleteUntil(1);
    await logs.setConfig(topic, 'retention.ms', '600');
    await logs.applyRetention(NOW_MS);
    expect(topic.partitions[0].firstOffset).toBe(1);
    await logs.setConfig(topic, 'retention.ms', '100');
    await logs.applyRetention(NOW_MS);
    expect(topic.partitions[0].firstOffset).toBe(3);
  });

  it('ends with its logs, in the middle of a round as well', async () => {
    const { logs, store } = await openLogs({ retentionMs: 1000 });
    for (const name of ['a', 'b', 'c']) await append(await logs.createTopic(name, 1, {}), 'a', '1', 1);
    const looking = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const looked = vi.spyOn(store, 'batchForTime').mockImplementation(async () => {
      looking.resolve();
      await goOn.promise;
      return undefined;
    });
    const applying = logs.applyRetention(NOW_MS);
    await looking.promise;
    const closing = logs.close();
    goOn.resolve();
    await Promise.all([applying, closing]);
    expect(looked).toHaveBeenCalledTimes(1);
  });
});
