import { settled } from './kafka-directory/settled.ts';
import type { LogStore, StoredBatch, StoredPartition, StoredState, StoredTopic } from './log-store.ts';
import { CorruptBatchError, StoreError } from './store-error.ts';
import { TransactionIndex } from './transactions.ts';

/** The progress of an import; told after each piece. */
export interface ImportProgress {
  topic: string;
  /** The partition's number in its topic. */
  partition: number;
  /** Bytes of batches that are copied of all topics, those of an earlier import among them. */
  copiedBytes: number;
  totalBytes: number;
}

/** The result of an import. */
export interface ImportResult {
  topicCount: number;
  batchCount: number;
  groupCount: number;
  /** Batches that are damaged and were left out; their offsets are a gap. */
  damaged: { topic: string; partition: number; baseOffset: number; lastOffset: number }[];
  /** Transactions without an end, whose records were left out as Kafka aborts them. */
  unfinished: { topic: string; partition: number; firstOffset: number }[];
}

/** Kafka's own topics: their content is of no use elsewhere; what groups committed is copied by itself. */
const INTERNAL_TOPICS = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state']);
/**
 * The retention of topics that set none stands in a Kafka's `server.properties`, which is not asked here: no
 * default deletes what was just copied.
 */
const KEPT_FOR_EVER = { 'retention.ms': '-1', 'retention.bytes': '-1' };
/** One piece is read while the one before is written. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Copies all topics of one store into another, with their ids, configs, batches and offsets, and what groups committed.
 * An import that was interrupted goes on where it was when it is asked for again; one that was complete changes
 * nothing. Both stores are opened here, and closed by the caller.
 *
 * @throws StoreError `exists` where there is another topic of the same name, `conflict` where a topic has grown
 * meanwhile; whatever the stores throw.
 */
export async function importLogs(
  from: LogStore,
  into: LogStore,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<ImportResult> {
  const source = await from.open();
  const target = await into.open();
  const topics = source.topics.filter(({ name }) => !INTERNAL_TOPICS.has(name));
  const targets = new Map(target.topics.map((topic) => [topic.name, topic]));
  // Everything that can be refused is refused before anything is copied.
  for (const topic of topics) checkTarget(topic, targets.get(topic.name));
  const copy = new TopicCopy(from, into, topics, onProgress);
  for (const topic of topics)
    await copy.topic({ ...topic, configs: { ...KEPT_FOR_EVER, ...topic.configs } }, targets.get(topic.name));
  const groupCount = await copyGroups(source, target, into);
  await into.flush();
  const { batchCount, damaged } = copy;
  return { topicCount: topics.length, batchCount, groupCount, damaged, unfinished: unfinishedOf(topics) };
}

function unfinishedOf(topics: readonly StoredTopic[]): ImportResult['unfinished'] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.flatMap(({ number, transactions }) =>
      (transactions?.open ?? []).map(({ firstOffset }) => ({ topic: name, partition: number, firstOffset })),
    ),
  );
}

function checkTarget(topic: StoredTopic, target: StoredTopic | undefined): void {
  if (target === undefined) return;
  if (Buffer.compare(topic.topicId, target.topicId) !== 0) {
    throw new StoreError('exists', `there is another topic ${topic.name} already`);
  }
  for (const { number, nextOffset } of target.partitions) {
    if (nextOffset > (topic.partitions[number]?.nextOffset ?? 0)) {
      throw new StoreError('conflict', `topic ${topic.name} was imported and has grown since`);
    }
  }
}

/** A store that takes a batch behind a gap. */
interface GapTaker {
  appendBehindGap(partition: number, batch: StoredBatch): Promise<void>;
}

/** Copies topics from one open store into another. */
export class TopicCopy {
  batchCount = 0;
  readonly damaged: ImportResult['damaged'] = [];
  readonly #from: LogStore;
  readonly #into: LogStore;
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #totalBytes: number;
  #copiedBytes = 0;

  constructor(
    from: LogStore,
    into: LogStore,
    topics: readonly StoredTopic[],
    onProgress: (progress: ImportProgress) => void,
  ) {
    this.#from = from;
    this.#into = into;
    this.#onProgress = onProgress;
    this.#totalBytes = topics.reduce((sum, topic) => sum + bytesOfTopic(topic), 0);
  }

  async topic(topic: StoredTopic, existing: StoredTopic | undefined): Promise<void> {
    const { name, topicId, configs, createdAtMs, partitions } = topic;
    const partitionCount = partitions.length;
    const target =
      existing ?? (await this.#into.createTopic({ name, topicId, configs, createdAtMs, partitionCount }));
    const targets = [...target.partitions];
    if (targets.length < partitionCount)
      targets.push(...(await this.#into.addPartitions(name, partitionCount)));
    for (const [index, partition] of partitions.entries()) {
      await this.#partition(name, partition, targets[index]!);
    }
  }

  async #partition(topic: string, source: StoredPartition, target: StoredPartition): Promise<void> {
    const { id, number: partition } = source;
    this.#copiedBytes += target.sizeBytes;
    const settle = settling(source);
    let nextOffset = target.nextOffset;
    let writing: Promise<unknown> = Promise.resolve();
    for (let offset = Math.max(nextOffset, source.firstOffset); ; ) {
      const batches = await this.#read(topic, partition, id, offset);
      await writing;
      if (batches.length === 0) break;
      const kept = batches.flatMap(settle);
      writing = this.#write(target.id, nextOffset, kept);
      // The one who awaits it later gets the failure; until then it is not unhandled.
      writing.catch(() => {});
      nextOffset = (kept.at(-1)?.lastOffset ?? nextOffset - 1) + 1;
      offset = batches.at(-1)!.lastOffset + 1;
      this.#copiedBytes += batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
      this.#onProgress({
        topic,
        partition,
        copiedBytes: this.#copiedBytes,
        totalBytes: this.#totalBytes,
      });
    }
    if (nextOffset < source.nextOffset) await this.#into.skipTo(target.id, source.nextOffset);
    if (source.firstOffset > target.firstOffset) await this.#into.deleteUntil(target.id, source.firstOffset);
    if (source.leaderEpoch > target.leaderEpoch)
      await this.#into.setLeaderEpoch(target.id, source.leaderEpoch);
  }

  /** The next batches that are whole. */
  async #read(topic: string, partition: number, id: number, fromOffset: number): Promise<StoredBatch[]> {
    for (let offset = fromOffset; ; ) {
      try {
        return await this.#from.read(id, offset, PIECE_BYTES);
      } catch (error) {
        if (!(error instanceof CorruptBatchError)) throw error;
        const { baseOffset, lastOffset } = error;
        this.damaged.push({ topic, partition, baseOffset, lastOffset });
        offset = lastOffset + 1;
      }
    }
  }

  #write(id: number, firstFree: number, batches: StoredBatch[]): Promise<unknown> {
    let nextOffset = firstFree;
    const writes: Promise<void>[] = [];
    for (const batch of batches) {
      writes.push(...this.#append(id, nextOffset, batch));
      nextOffset = batch.lastOffset + 1;
      this.batchCount++;
    }
    return Promise.all(writes);
  }

  #append(id: number, nextOffset: number, batch: StoredBatch): Promise<void>[] {
    const into = this.#into;
    if (batch.baseOffset === nextOffset) return [into.append(id, batch)];
    if (takesGaps(into)) return [into.appendBehindGap(id, batch)];
    return [into.skipTo(id, batch.baseOffset), into.append(id, batch)];
  }
}

function takesGaps(store: object): store is GapTaker {
  return 'appendBehindGap' in store;
}

/** The part of a batch that is copied: from a Kafka only the committed records. */
function settling({ transactions }: StoredPartition): (batch: StoredBatch) => StoredBatch[] {
  if (transactions === undefined) return (batch) => [batch];
  const index = new TransactionIndex(transactions);
  return (batch) => {
    const kept = settled(batch, index);
    return kept === undefined ? [] : [kept];
  };
}

/** Commits that are newer there stay. */
async function copyGroups(source: StoredState, target: StoredState, into: LogStore): Promise<number> {
  let groupCount = 0;
  for (const [group, offsets] of source.groups) {
    const there = target.groups.get(group) ?? [];
    const newer = offsets.filter(
      (offset) =>
        !there.some(
          ({ topic, partition, committedAtMs }) =>
            topic === offset.topic && partition === offset.partition && committedAtMs >= offset.committedAtMs,
        ),
    );
    if (newer.length === 0) continue;
    await into.saveGroupOffsets(group, newer);
    groupCount++;
  }
  return groupCount;
}

/** Of its batches. */
export function bytesOfTopic(topic: StoredTopic): number {
  return topic.partitions.reduce((sum, partition) => sum + partition.sizeBytes, 0);
}
