import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { conversionCheckedBytes } from '../../limits/store.ts';
import { formatKafkaDirectory, isFormatted } from '../kafka-directory/format.ts';
import { KafkaDirectoryStore } from '../kafka-directory/kafka-directory-store.ts';
import type { LogStore, StoredBatch, StoredPartition, StoredTopic } from '../log-store.ts';
import { CorruptBatchError, StoreError } from '../store-error.ts';

/** The store that logs of an older version are copied into, with what an earlier start has copied. */
export interface BegunCopy {
  readonly into: KafkaDirectoryStore;
  /** Its topics, by name; each is the beginning of the topic that it is a copy of. */
  readonly topics: ReadonlyMap<string, StoredTopic>;
}

/** Among the values of both stores: which copy is of which store. */
const COPY_ID = 'data-folder.copy';

/**
 * Opens what an earlier start has copied, so that it goes on; undefined where that is no copy of this very store, and is deleted then.
 *
 * @throws errors of the system; StoreUnavailableError
 */
export async function openBegunCopy(
  from: LogStore,
  topics: readonly StoredTopic[],
  making: string,
  segmentBytes: number,
): Promise<BegunCopy | undefined> {
  const id = await from.getMeta(COPY_ID);
  const isMade = id !== undefined && isFormatted(making);
  const begun = isMade ? await openMarked(making, segmentBytes, id) : undefined;
  if (begun === undefined) {
    await rm(making, { recursive: true, force: true });
    return undefined;
  }
  try {
    return await withoutStrays(begun, from, topics);
  } catch (error) {
    await begun.into.close();
    throw error;
  }
}

/** Opens a new folder to copy into. */
export async function beginCopy(from: LogStore, making: string, segmentBytes: number): Promise<BegunCopy> {
  const id = Buffer.from(randomUUID());
  await from.putMeta(COPY_ID, id);
  await formatKafkaDirectory(making);
  const into = storeIn(making, segmentBytes);
  await into.open();
  await into.putMeta(COPY_ID, id);
  return { into, topics: new Map() };
}

function storeIn(making: string, segmentBytes: number): KafkaDirectoryStore {
  const store = new KafkaDirectoryStore({
    directories: [making],
    areOurs: true,
    ...{ fsync: 'commit', segmentBytes },
  });
  store.onEvent((event) => {
    // The torn end of a copy: all of it is in the store that is copied.
    if (event.kind === 'set-aside') void rm(event.file, { force: true }).catch(() => {});
  });
  return store;
}

/** Returns undefined where it is no copy of the store that has this id, or none that can be read. */
async function openMarked(
  making: string,
  segmentBytes: number,
  id: Uint8Array,
): Promise<BegunCopy | undefined> {
  const into = storeIn(making, segmentBytes);
  try {
    const { topics } = await into.open();
    const mark = await into.getMeta(COPY_ID);
    if (mark !== undefined && Buffer.compare(mark, id) === 0) {
      return { into, topics: new Map(topics.map((topic) => [topic.name, topic])) };
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') {
      await into.close();
      throw error;
    }
  }
  await into.close();
  return undefined;
}

/**
 * Deletes topics that are not the beginning of what they are a copy of: of the last batches that were under way a crash leaves any part,
 * as they may lie in two segments.
 */
async function withoutStrays(
  { into, topics }: BegunCopy,
  from: LogStore,
  sources: readonly StoredTopic[],
): Promise<BegunCopy> {
  const kept = new Map<string, StoredTopic>();
  const byName = new Map(sources.map((source) => [source.name, source]));
  for (const [name, topic] of topics) {
    if (await isBeginning(from, byName.get(name), into, topic)) kept.set(name, topic);
    else await into.deleteTopic(name);
  }
  return { into, topics: kept };
}

async function isBeginning(
  from: LogStore,
  source: StoredTopic | undefined,
  into: LogStore,
  { topicId, partitions }: StoredTopic,
): Promise<boolean> {
  if (source === undefined || Buffer.compare(source.topicId, topicId) !== 0) return false;
  if (partitions.length !== source.partitions.length) return false;
  for (const target of partitions) {
    const original = source.partitions[target.number]!;
    if (!(await hasSameEnd(from, original, into, target))) return false;
  }
  return true;
}

/** Whether the last batches of a partition are those that lie there in the original. What lies before them was synced. */
async function hasSameEnd(
  from: LogStore,
  original: StoredPartition,
  into: LogStore,
  target: StoredPartition,
): Promise<boolean> {
  if (target.nextOffset > original.nextOffset) return false;
  const until = await into.offsetForSize(target.id, conversionCheckedBytes);
  for (let at = Math.max(until, original.firstOffset); at < target.nextOffset; ) {
    const expected = await readWhole(from, original.id, at);
    const there = await into.read(target.id, expected.at, conversionCheckedBytes).catch(unlessCorrupt);
    if (there === undefined) return false;
    const count = Math.min(expected.batches.length, there.length);
    if (count === 0) {
      const next = expected.batches[0]?.baseOffset ?? target.nextOffset;
      return there.length === 0 && next >= target.nextOffset;
    }
    for (let index = 0; index < count; index++) {
      const isSame = Buffer.compare(there[index]!.bytes, expected.batches[index]!.bytes) === 0;
      if (!isSame || there[index]!.baseOffset !== expected.batches[index]!.baseOffset) return false;
    }
    at = there[count - 1]!.lastOffset + 1;
  }
  return true;
}

/** The next batches that are not damaged, and the offset that they were found from: a copy has no others. */
async function readWhole(
  from: LogStore,
  partition: number,
  fromOffset: number,
): Promise<{ at: number; batches: StoredBatch[] }> {
  for (let at = fromOffset; ; ) {
    try {
      return { at, batches: await from.read(partition, at, conversionCheckedBytes) };
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      at = error.lastOffset + 1;
    }
  }
}

function unlessCorrupt(error: unknown): undefined {
  if (!(error instanceof CorruptBatchError)) throw error;
}
