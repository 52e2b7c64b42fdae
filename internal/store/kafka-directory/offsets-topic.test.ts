import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { writeKafkaDirectory } from '../../../test/support/kafka-directory.ts';
import { openLogs } from '../../../test/support/logs.ts';
import { records } from '../../batch/read.ts';
import { parseBatchHeader } from '../../batch/record-batch.ts';
import { maxExpandedBatchBytes } from '../../limits/batch.ts';
import type { GroupOffset } from '../log-store.ts';
import { offsetsPartitionOf } from './consumer-offsets.ts';
import { KafkaDirectoryStore } from './kafka-directory-store.ts';

const TOPIC = { name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionCount: 2 };
const OFFSETS = { name: '__consumer_offsets', topicId: 'AAAAAAAAAAAAAAAAAAAABQ', partitionCount: 3 };

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function newDirectory(topics = [TOPIC, OFFSETS]): string {
  const directory = mkdtempSync(join(tmpdir(), 'tinymq-offsets-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  writeKafkaDirectory(directory, topics);
  return directory;
}

async function open(directory: string) {
  const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os', offsetsPartitions: 3 });
  cleanUps.push(() => store.close());
  return { store, state: await store.open() };
}

/** What groups committed, as Kafka reads it: our journal is away. */
async function groupsWithoutJournal(directory: string): Promise<Map<string, GroupOffset[]>> {
  rmSync(join(directory, 'tinymq.journal'), { force: true });
  const { store, state } = await open(directory);
  await store.close();
  return state.groups;
}

function commit(partition: number, offset: number, topic = 't'): GroupOffset {
  return {
    topic,
    partition,
    offset,
    leaderEpoch: 3,
    metadata: 'näher',
    committedAtMs: 1_700_000_000_000 + offset,
  };
}

describe('what groups commit in a directory of Kafka', () => {
  it('lies in its own topic, so that Kafka knows it', async () => {
    const directory = newDirectory();
    const { store } = await open(directory);
    await store.saveGroupOffsets('readers', [commit(0, 7), commit(1, 8)]);
    await store.saveGroupOffsets('readers', [commit(0, 9)]);
    await store.saveGroupOffsets('others', [commit(0, 1)]);
    await store.close();
    const groups = await groupsWithoutJournal(directory);
    expect(groups).toEqual(
      new Map([
        ['readers', [commit(0, 9), commit(1, 8)]],
        ['others', [commit(0, 1)]],
      ]),
    );
  });

  it('is in the partition and in the form that Kafka 4.3 gives it', async () => {
    // Java: Math.abs("readers".hashCode()) % 50, and so on; the hash of the last is Integer.MIN_VALUE.
    expect(['readers', 'trial', 'polygenelubricants'].map((group) => offsetsPartitionOf(group, 50))).toEqual([
      28, 30, 0,
    ]);
    const { logs, store } = await openLogs(
      {},
      new KafkaDirectoryStore({ directories: [newDirectory()], fsync: 'os' }),
    );
    cleanUps.push(() => logs.close());
    await store.saveGroupOffsets('readers', [commit(1, 8)]);
    const partition = logs.topic(OFFSETS.name)!.partitions[offsetsPartitionOf('readers', 3)];
    // Readers of the topic see it at once.
    expect(partition.highWatermark).toBe(1);
    const [batch] = await partition.read(0, 1e6);
    const [record] = records(batch.bytes, parseBatchHeader(batch.bytes, 0), maxExpandedBatchBytes);
    expect(Buffer.from(record.key!).toString('hex')).toBe(
      `0001${'0007'}${Buffer.from('readers').toString('hex')}${'0001'}${Buffer.from('t').toString('hex')}${'00000001'}`,
    );
    expect(Buffer.from(record.value!).toString('hex')).toBe(
      `0003${'0000000000000008'}${'00000003'}${'0006'}${Buffer.from('näher').toString('hex')}${(1_700_000_000_008).toString(16).padStart(16, '0')}`,
    );
  });

  it('makes that topic where Kafka never needed it, as Kafka makes it', async () => {
    const directory = newDirectory([TOPIC]);
    const { logs, store } = await openLogs(
      {},
      new KafkaDirectoryStore({ directories: [directory], fsync: 'os', offsetsPartitions: 3 }),
    );
    cleanUps.push(() => logs.close());
    await store.saveGroupOffsets('readers', [commit(0, 7)]);
    const topic = logs.topic(OFFSETS.name)!;
    expect(topic.partitions).toHaveLength(3);
    expect(topic.configs).toMatchObject({ 'cleanup.policy': 'compact' });
    expect(topic.partitions[offsetsPartitionOf('readers', 3)].highWatermark).toBe(1);
    await logs.close();
    expect((await groupsWithoutJournal(directory)).get('readers')).toEqual([commit(0, 7)]);
  });

  it('goes there too when it is deleted: commits, groups, and with a topic', async () => {
    const directory = newDirectory();
    const { store } = await open(directory);
    await store.saveGroupOffsets('some', [commit(0, 1), commit(1, 2)]);
    await store.deleteGroupOffsets('some', [{ topic: 't', partition: 0 }]);
    await store.saveGroupOffsets('gone', [commit(0, 1)]);
    await store.deleteGroup('gone');
    await store.close();
    expect(await groupsWithoutJournal(directory)).toEqual(new Map([['some', [commit(1, 2)]]]));
    const again = await open(directory);
    await again.store.deleteTopic('t');
    await again.store.close();
    expect(await groupsWithoutJournal(directory)).toEqual(new Map());
  });

  it('is compacted while it is written here, so that a long run does not fill the disk', async () => {
    const directory = newDirectory();
    const { logs, store } = await openLogs(
      {},
      new KafkaDirectoryStore({ directories: [directory], fsync: 'os' }),
    );
    cleanUps.push(() => logs.close());
    await logs.setConfigs(logs.topic(OFFSETS.name)!, { 'cleanup.policy': 'compact' });
    for (let offset = 0; offset < 200; offset++) await store.saveGroupOffsets('readers', [commit(0, offset)]);
    const partition = logs.topic(OFFSETS.name)!.partitions[offsetsPartitionOf('readers', 3)];
    const before = partition.sizeBytes;
    await logs.applyRetention(Date.now());
    expect(partition.sizeBytes).toBeLessThan(before / 20);
    expect(partition.highWatermark).toBe(200);
    await logs.close();
    expect((await groupsWithoutJournal(directory)).get('readers')).toEqual([commit(0, 199)]);
  });

  it('is in our journal where a directory has no metadata log, and can have no such topic', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tinymq-offsets-'));
    cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
    const { store } = await open(directory);
    await store.saveGroupOffsets('readers', [commit(0, 7)]);
    await store.close();
    expect(readdirSync(directory)).toEqual(expect.not.arrayContaining(['__consumer_offsets-0']));
    const { state } = await open(directory);
    expect(state.groups.get('readers')).toEqual([commit(0, 7)]);
  });

  it('that an earlier version has in the journal counts until it is newer or deleted in the topic', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tinymq-offsets-'));
    cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
    // As long as there is no topic for it, it goes to the journal.
    const before = await open(directory);
    await before.store.saveGroupOffsets('g', [commit(0, 1), commit(1, 1)]);
    await before.store.close();
    writeKafkaDirectory(directory, [TOPIC, OFFSETS]);
    const { store, state } = await open(directory);
    expect(state.groups.get('g')).toEqual([commit(0, 1), commit(1, 1)]);
    await store.saveGroupOffsets('g', [commit(0, 5)]);
    await store.deleteGroupOffsets('g', [{ topic: 't', partition: 1 }]);
    await store.close();
    expect((await open(directory)).state.groups.get('g')).toEqual([commit(0, 5)]);
  });
});
