import { checkMorePartitions, noSuchTopic, topicExists } from '../batch-rules.ts';
import { type Entry, type PackedEntries, packEntries } from '../entry-store.ts';
import { groupMembersKey } from '../group-members.ts';
import type { StoredTopic } from '../log-store.ts';
import { rowChecksum } from './checksum.ts';
import type { Change } from './messages.ts';
import type { PartitionBatches } from './partition-batches.ts';
import type { WriteStatements } from './statements.ts';

/** The parts of the writer that changes work with. */
export interface ChangeParts {
  readonly statements: WriteStatements;
  readonly batches: PartitionBatches;
}

type ChangeOf<Kind extends Change['kind']> = Extract<Change, { kind: Kind }>;
type Changes = { readonly [Kind in Change['kind']]: (change: ChangeOf<Kind>, parts: ChangeParts) => unknown };

/** Makes a change, within the transaction of its group. Returns its answer, if it has one. @throws StoreError */
export function makeChange(change: Change, parts: ChangeParts): unknown {
  const make = CHANGES[change.kind] as (change: Change, parts: ChangeParts) => unknown;
  return make(change, parts);
}

const CHANGES: Changes = {
  'create-topic': ({ topic }, { statements, batches }) => {
    const { name, topicId, configs, createdAtMs, partitionCount } = topic;
    if (statements.topic.get(name)) throw topicExists(name);
    statements.insertTopic.run(name, topicId, JSON.stringify(configs), createdAtMs);
    const partitions = batches.grow(name, 0, partitionCount);
    return { name, topicId, configs, createdAtMs, partitions } satisfies StoredTopic;
  },
  'alter-topic': ({ name, configs }, { statements }) => {
    checkTopic(name, statements);
    statements.alterTopic.run(JSON.stringify(configs), name);
  },
  'add-partitions': ({ name, partitionCount }, { statements, batches }) => {
    checkTopic(name, statements);
    const before = statements.partitionCount.get(name)!.count as number;
    checkMorePartitions(name, before, partitionCount);
    return batches.grow(name, before, partitionCount);
  },
  'delete-topic': ({ name }, { statements, batches }) => {
    checkTopic(name, statements);
    for (const { id } of statements.partitionIds.all(name) as { id: number }[]) batches.remove(id);
    statements.deletePartitions.run(name);
    statements.deleteTopic.run(name);
    statements.deleteTopicOffsets.run(name);
  },
  'delete-topic-offsets': ({ name }, { statements }) => {
    statements.deleteTopicOffsets.run(name);
  },
  'delete-all-topics': (_, { statements, batches }) => {
    for (const { name } of statements.topicNames.all() as { name: string }[]) {
      for (const { id } of statements.partitionIds.all(name) as { id: number }[]) batches.remove(id);
      statements.deletePartitions.run(name);
      statements.deleteTopic.run(name);
    }
  },
  'leader-epoch': ({ partition, leaderEpoch }, { statements, batches }) => {
    statements.leaderEpoch.run(leaderEpoch, batches.partition(partition).id);
  },
  'skip-to': ({ partition, offset }, { batches }) => batches.skipTo(partition, offset),
  'delete-until': ({ partition, offset }, { batches }) => batches.deleteUntil(partition, offset),
  replace: ({ partition, fromOffset, toOffset, batches: newer }, { batches }) =>
    batches.replace(partition, fromOffset, toOffset, newer),
  'put-producers': ({ partition, producers }, { statements, batches }) => {
    const { id } = batches.partition(partition);
    for (const producer of producers) statements.saveProducer.run(id, producer.id, producer.state);
  },
  'forget-producers': ({ partition, producerIds }, { statements, batches }) => {
    for (const id of producerIds) statements.deleteProducer.run(batches.partition(partition).id, id);
  },
  'save-group': ({ group, offsets }, { statements }) => {
    for (const { topic, partition, offset, leaderEpoch, metadata, committedAtMs } of offsets) {
      statements.saveOffset.run(group, topic, partition, offset, leaderEpoch, metadata, committedAtMs);
    }
  },
  'delete-group-offsets': ({ group, partitions }, { statements }) => {
    for (const { topic, partition } of partitions) statements.deleteOffset.run(group, topic, partition);
  },
  'delete-group': ({ group }, { statements }) => {
    statements.deleteGroup.run(group);
    statements.deleteMeta.run(groupMembersKey(group));
  },
  'put-meta': ({ key, value }, { statements }) => {
    if (value === undefined) statements.deleteMeta.run(key);
    else statements.putMeta.run(key, value);
  },
  'put-entries': ({ entries }, { statements }) => putEntries(entries, statements),
  'get-meta': ({ key }, { statements }) => statements.meta.get(key)?.value,
  entries: ({ after, maxBytes }, { statements }) => packEntries(entriesAfter(after, maxBytes, statements)),
  barrier: () => undefined,
};

function checkTopic(name: string, statements: WriteStatements): void {
  if (!statements.topic.get(name)) throw noSuchTopic(name);
}

function entriesAfter(after: string, maxBytes: number, statements: WriteStatements): Entry[] {
  const entries: Entry[] = [];
  let byteLength = 0;
  for (const row of statements.entriesAfter.iterate(after)) {
    const { key, value, checksum } = row as unknown as Entry & { checksum: number | null };
    byteLength += value.length;
    if (entries.length > 0 && byteLength > maxBytes) break;
    const isDamaged = checksum !== null && checksum !== rowChecksum([key, value]);
    entries.push(isDamaged ? { key, value, isDamaged } : { key, value });
  }
  return entries;
}

function putEntries({ keys, lengths, values }: PackedEntries, statements: WriteStatements): void {
  let at = 0;
  for (const [index, key] of keys.entries()) {
    const length = lengths[index]!;
    if (length < 0) {
      statements.deleteEntry.run(key);
      continue;
    }
    const value = values.subarray(at, at + length);
    statements.putEntry.run(key, value, rowChecksum([key, value]));
    at += length;
  }
}
