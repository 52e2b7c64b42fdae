import { KafkaProtocolError } from '../protocol/kafka/protocol-error.ts';
import { KafkaReader } from '../protocol/kafka/reader.ts';
import type { BatchHeader } from '../protocol/kafka/record-batch.ts';
import type { KafkaRecord } from '../protocol/kafka/record-batch-read.ts';
import type { InternalBatch } from './kafka-batches.ts';
import type { GroupOffset } from './log-store.ts';

export const CONSUMER_OFFSETS_TOPIC = '__consumer_offsets';

interface OffsetRecord {
  group: string;
  topic: string;
  partition: number;
  /** Undefined where the commit was deleted. */
  offset: GroupOffset | undefined;
}

/** What groups committed, as the partitions of `__consumer_offsets` tell. */
export class ConsumerOffsets {
  /** By group, then by partition and topic. */
  readonly groups = new Map<string, Map<string, GroupOffset>>();
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
      if (isCommit) for (const record of pending) this.#set(record);
    }
  }

  #set({ group, topic, partition, offset }: OffsetRecord): void {
    const ofGroup = this.groups.get(group) ?? new Map<string, GroupOffset>();
    const key = `${partition}/${topic}`;
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
function readOffsetRecord({ key, value }: KafkaRecord): OffsetRecord | undefined {
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
