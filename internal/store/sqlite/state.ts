import type { DatabaseSync } from 'node:sqlite';
import { AFTER_GROUP_MEMBERS, groupMembersKey, groupOfKey } from '../group-members.ts';
import type { GroupOffset, StoredPartition, StoredProducer, StoredState, StoredTopic } from '../log-store.ts';
import type { BatchRow } from './statements.ts';

/** The facts about a partition that a writer keeps in memory. Fields are explained in schema.ts. */
export interface PartitionRow {
  id: number;
  firstOffset: number;
  nextOffset: number;
  maxTimestamp: number;
  runningBytes: number;
  sweptBytes: number;
  replacedBytes: number;
}

/** A row of the table of partitions; its columns are explained in schema.ts. */
interface SavedPartition {
  id: number;
  topic: string;
  number: number;
  first_offset: number;
  next_offset: number;
  leader_epoch: number;
  max_timestamp: number;
  running_bytes: number;
  swept_bytes: number;
  replaced_bytes: number;
}

/** The first or the last batch of a partition. */
type BatchEnd = Pick<BatchRow, 'last_offset' | 'running_timestamp' | 'running_bytes'>;

type SizeRow = Pick<SavedPartition, 'running_bytes' | 'swept_bytes' | 'replaced_bytes'> & {
  dead_bytes: number;
};

interface Loaded {
  state: StoredState;
  rows: PartitionRow[];
  /** Partitions with batches that wait to be deleted. */
  toSweep: number[];
}

/** Reads everything but the batches: per partition its first and its newest row. */
export function loadState(db: DatabaseSync): Loaded {
  const topics = new Map<string, StoredTopic>();
  const rows: PartitionRow[] = [];
  const toSweep = db
    .prepare('SELECT partition_id AS id FROM doomed')
    .all()
    .map((row) => row.id as number);
  for (const row of db.prepare('SELECT * FROM topic').all()) {
    const name = row.name as string;
    topics.set(name, {
      name,
      topicId: row.topic_id as Uint8Array,
      configs: JSON.parse(row.configs as string),
      createdAtMs: row.created_at_ms as number,
      partitions: [],
    });
  }
  const producers = loadProducers(db);
  const newest = db.prepare(
    `SELECT last_offset, running_timestamp, running_bytes FROM batch
     WHERE partition_id = ? ORDER BY base_offset DESC LIMIT 1`,
  );
  const oldest = db.prepare(
    'SELECT last_offset FROM batch WHERE partition_id = ? ORDER BY base_offset LIMIT 1',
  );
  const sizeBytes = sizeReader(db);
  for (const row of db.prepare('SELECT * FROM partition ORDER BY topic, number').all()) {
    const saved = row as unknown as SavedPartition;
    const id = saved.id;
    const last = newest.get(id) as unknown as BatchEnd | undefined;
    const first = oldest.get(id) as unknown as BatchEnd | undefined;
    const partition: PartitionRow = {
      id,
      firstOffset: saved.first_offset,
      nextOffset: Math.max(saved.next_offset, (last?.last_offset ?? -1) + 1),
      maxTimestamp: Math.max(saved.max_timestamp, last?.running_timestamp ?? -1),
      runningBytes: Math.max(saved.running_bytes, last?.running_bytes ?? 0),
      sweptBytes: saved.swept_bytes,
      replacedBytes: saved.replaced_bytes,
    };
    rows.push(partition);
    if (first && first.last_offset < partition.firstOffset) toSweep.push(id);
    topics.get(saved.topic)!.partitions.push({
      id,
      number: saved.number,
      firstOffset: partition.firstOffset,
      nextOffset: partition.nextOffset,
      leaderEpoch: saved.leader_epoch,
      maxTimestamp: partition.maxTimestamp,
      sizeBytes: sizeBytes(id),
      producers: producers.get(id) ?? [],
    } satisfies StoredPartition);
  }
  return {
    state: {
      topics: [...topics.values()].sort(byName),
      groups: loadGroups(db),
      groupMembers: loadGroupMembers(db),
    },
    rows,
    toSweep,
  };
}

/** Returns the function that tells the bytes of a partition's batches from its first offset on. */
export function sizeReader(db: DatabaseSync): (partition: number) => number {
  const ends = db.prepare(
    `SELECT swept_bytes, replaced_bytes,
       max(running_bytes, coalesce((SELECT running_bytes FROM batch WHERE partition_id = partition.id
         ORDER BY base_offset DESC LIMIT 1), 0)) AS running_bytes,
       (SELECT coalesce(sum(byte_length), 0) FROM batch WHERE partition_id = partition.id
         AND base_offset < first_offset AND last_offset < first_offset) AS dead_bytes
     FROM partition WHERE id = ?`,
  );
  return (partition) => {
    const row = ends.get(partition) as unknown as SizeRow;
    return row.running_bytes - row.swept_bytes - row.replaced_bytes - row.dead_bytes;
  };
}

function loadProducers(db: DatabaseSync): Map<number, StoredProducer[]> {
  const statement = db.prepare('SELECT * FROM producer ORDER BY partition_id, producer_id');
  // Producer ids are 64 random bits with some clients.
  statement.setReadBigInts(true);
  const producers = new Map<number, StoredProducer[]>();
  for (const row of statement.iterate()) {
    const partition = Number(row.partition_id);
    const producer = { id: row.producer_id as bigint, state: row.state as Uint8Array };
    const others = producers.get(partition);
    if (others) others.push(producer);
    else producers.set(partition, [producer]);
  }
  return producers;
}

function loadGroups(db: DatabaseSync): Map<string, GroupOffset[]> {
  const groups = new Map<string, GroupOffset[]>();
  for (const row of db.prepare('SELECT * FROM group_offset').iterate()) {
    const group = row.group_name as string;
    const offset: GroupOffset = {
      topic: row.topic as string,
      partition: row.partition as number,
      offset: row.committed_offset as number,
      leaderEpoch: row.leader_epoch as number,
      metadata: row.metadata as string,
      committedAtMs: row.committed_at_ms as number,
    };
    const others = groups.get(group);
    if (others) others.push(offset);
    else groups.set(group, [offset]);
  }
  return groups;
}

function loadGroupMembers(db: DatabaseSync): Map<string, Uint8Array> {
  const rows = db
    .prepare('SELECT key, value FROM meta WHERE key >= ? AND key < ?')
    .all(groupMembersKey(''), AFTER_GROUP_MEMBERS);
  return new Map(rows.map(({ key, value }) => [groupOfKey(key as string)!, value as Uint8Array]));
}

function byName(a: StoredTopic, b: StoredTopic): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
