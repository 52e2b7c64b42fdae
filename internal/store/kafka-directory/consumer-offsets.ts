import type { KafkaRecord } from '../../batch/read.ts';
import type { BatchHeader } from '../../batch/record-batch.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { KafkaReader } from '../../protocol/kafka/reader.ts';
import { KafkaWriter } from '../../protocol/kafka/writer.ts';
import type { GroupOffset, TopicPartition } from '../log-store.ts';
import type { InternalBatch } from './batches.ts';
import type { Commit } from './journal-state.ts';

export const CONSUMER_OFFSETS_TOPIC = '__consumer_offsets';

interface OffsetRecord {
  group: string;
  topic: string;
  partition: number;
  /** Undefined where the commit was deleted. */
  offset: GroupOffset | undefined;
  /** The place of the record. */
  recordOffset: number;
}

/** The commits of groups in the partitions of `__consumer_offsets`. */
export class ConsumerOffsets {
  /** By group, then by partition and topic. */
  readonly groups = new Map<string, Map<string, GroupOffset>>();
  /** The place of the record that counts, by group, partition and topic. */
  readonly #recordOffsets = new Map<string, number>();
  /** Commits in transactions that have no end yet, by producer id. */
  readonly #pending = new Map<number, OffsetRecord[]>();

  apply({ header, records }: InternalBatch): void {
    if (header.isControl) {
      this.#endTransaction(header, records());
      return;
    }
    for (const record of records()) {
      const read = readOffsetRecord(record);
      if (read === undefined) continue;
      if (!header.isTransactional) this.#set(read);
      else this.#pending.set(header.producerId, [...(this.#pending.get(header.producerId) ?? []), read]);
    }
  }

  #endTransaction(header: BatchHeader, records: Iterable<KafkaRecord>): void {
    const pending = this.#pending.get(header.producerId) ?? [];
    this.#pending.delete(header.producerId);
    for (const { key } of records) {
      const isCommit = key !== null && key.length >= 4 && key[2] === 0 && key[3] === COMMIT_MARKER;
      if (isCommit) for (const record of pending) if (!this.#isOutdated(record)) this.#set(record);
    }
  }

  /** Whether something was committed outside of the transaction after this, and before its end. */
  #isOutdated({ group, topic, partition, recordOffset }: OffsetRecord): boolean {
    return (this.#recordOffsets.get(`${partition}/${topic}/${group}`) ?? -1) > recordOffset;
  }

  #set({ group, topic, partition, offset, recordOffset }: OffsetRecord): void {
    const ofGroup = this.groups.get(group) ?? new Map<string, GroupOffset>();
    const key = `${partition}/${topic}`;
    this.#recordOffsets.set(`${key}/${group}`, recordOffset);
    if (offset === undefined) ofGroup.delete(key);
    else ofGroup.set(key, offset);
    if (ofGroup.size > 0) this.groups.set(group, ofGroup);
    else this.groups.delete(group);
  }
}

/** In the key of a control record, behind its version. */
const COMMIT_MARKER = 1;
/** Versions of keys up to this one are commits; the others tell of members of groups. */
const LAST_COMMIT_KEY_VERSION = 1;
const FIRST_FLEXIBLE_VALUE_VERSION = 4;

/** A commit; undefined for a record of another kind or of a newer version. */
function readOffsetRecord({ key, value, offset: recordOffset }: KafkaRecord): OffsetRecord | undefined {
  if (key === null) return undefined;
  try {
    const reader = new KafkaReader(key);
    if (reader.uint16() > LAST_COMMIT_KEY_VERSION) return undefined;
    const group = reader.string(reader.uint16());
    const topic = reader.string(reader.uint16());
    const partition = reader.int32();
    return {
      group,
      topic,
      partition,
      recordOffset,
      offset: value === null ? undefined : readValue(value, topic, partition),
    };
  } catch (error) {
    if (error instanceof KafkaProtocolError) return undefined;
    throw error;
  }
}

/**
 *     version (2)   offset (8)   [3 and later: leaderEpoch (4)]   metadata (string)   commitTimestamp (8)   …
 */
function readValue(value: Uint8Array, topic: string, partition: number): GroupOffset | undefined {
  const reader = new KafkaReader(value);
  const version = reader.uint16();
  const offset = reader.int64();
  const leaderEpoch = version >= 3 ? reader.int32() : -1;
  const metadataBytes = version >= FIRST_FLEXIBLE_VALUE_VERSION ? reader.uvarint() - 1 : reader.uint16();
  const metadata = reader.string(Math.max(0, metadataBytes));
  const committedAtMs = reader.int64();
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(committedAtMs)) return undefined;
  return { topic, partition, offset, leaderEpoch, metadata, committedAtMs };
}

/** The partition of `__consumer_offsets` that a group belongs to, as Kafka chooses it. */
export function offsetsPartitionOf(group: string, partitionCount: number): number {
  let hash = 0;
  for (let index = 0; index < group.length; index++)
    hash = (Math.imul(hash, 31) + group.charCodeAt(index)) | 0;
  // The least number has no positive counterpart in 32 bits.
  return hash === LEAST_INT32 ? 0 : Math.abs(hash) % partitionCount;
}

const LEAST_INT32 = -(2 ** 31);
const COMMIT_KEY_VERSION = 1;
const COMMIT_VALUE_VERSION = 3;
const GROUP_KEY_VERSION = 2;

/** The key of what a group committed for a partition. */
export function commitKey(group: string, { topic, partition }: TopicPartition): Uint8Array {
  const writer = new KafkaWriter();
  writer.int16(COMMIT_KEY_VERSION);
  writer.string(group, false);
  writer.string(topic, false);
  writer.int32(partition);
  return Buffer.concat(writer.finish());
}

/** The key of what Kafka knows of a group beside its commits. */
export function groupKey(group: string): Uint8Array {
  const writer = new KafkaWriter();
  writer.int16(GROUP_KEY_VERSION);
  writer.string(group, false);
  return Buffer.concat(writer.finish());
}

export function commitValue({ offset, leaderEpoch, metadata, committedAtMs }: Commit): Uint8Array {
  const writer = new KafkaWriter();
  writer.int16(COMMIT_VALUE_VERSION);
  writer.int64(offset);
  writer.int32(leaderEpoch);
  writer.string(metadata, false);
  writer.int64(committedAtMs);
  return Buffer.concat(writer.finish());
}
