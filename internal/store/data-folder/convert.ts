import { rename, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { conversionSpareBytes } from '../../limits/store.ts';
import { bytesOfTopic, type ImportProgress, type ImportResult, TopicCopy } from '../import.ts';
import type { LogStore, StoredTopic } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { beginCopy, openBegunCopy } from './begun-copy.ts';
import { CONVERTING_FOLDER, LOGS_FOLDER } from './logs-folder.ts';

/** Told before anything is copied. */
export interface ConversionStart {
  kind: 'begins';
  topicCount: number;
  totalBytes: number;
  /** Of these, by earlier starts that were ended. */
  copiedBytes: number;
  /** Of the disk. */
  freeBytes: number;
}

export type ConversionProgress = { kind: 'converting' } & ImportProgress;

/** The result of a conversion. */
export interface ConversionEnd {
  kind: 'converted';
  topicCount: number;
  /** Those that this start copied. */
  batchCount: number;
  totalBytes: number;
}

/** A batch that is damaged and was left out; its offsets are a gap. */
export type DamagedBatch = { kind: 'damaged' } & ImportResult['damaged'][number];

export type ConversionEvent = ConversionStart | ConversionProgress | DamagedBatch | ConversionEnd;

interface ConversionParts {
  /** The open store of the older version. */
  from: LogStore;
  topics: readonly StoredTopic[];
  /** The data folder. */
  directory: string;
  segmentBytes: number;
  onProgress: ((event: ConversionEvent) => void) | undefined;
}

/**
 * Copies topics, batches and producers into segment files. The new folder gets its name when all is in it; where a start was ended
 * before that, the next one goes on. What is copied stays where it was; the caller deletes it.
 *
 * @throws StoreError `unsupported` where the disk has no room for the copy; errors of the system.
 */
export async function convertLogs(parts: ConversionParts): Promise<void> {
  const { from, topics, directory, segmentBytes, onProgress = () => {} } = parts;
  const making = join(directory, CONVERTING_FOLDER);
  let begun = await openBegunCopy(from, topics, making, segmentBytes);
  try {
    const totalBytes = sum(topics.map(bytesOfTopic));
    const copiedBytes = sum([...(begun?.topics.values() ?? [])].map(bytesOfTopic));
    const freeBytes = await demandSpace(directory, totalBytes - copiedBytes);
    begun ??= await beginCopy(from, making, segmentBytes);
    const { into, topics: there } = begun;
    onProgress({ kind: 'begins', topicCount: topics.length, totalBytes, copiedBytes, freeBytes });
    const damaged: ImportResult['damaged'] = [];
    const copy: TopicCopy = new TopicCopy(from, into, topics, (progress) => {
      for (const each of copy.damaged.slice(damaged.length)) onProgress({ kind: 'damaged', ...each });
      damaged.push(...copy.damaged.slice(damaged.length));
      onProgress({ kind: 'converting', ...progress });
    });
    // At once, so that they go to the disk together.
    const made = await Promise.all(
      topics.map((topic) => there.get(topic.name) ?? into.createTopic(newTopicOf(topic))),
    );
    for (const [at, topic] of topics.entries()) {
      await copy.topic(topic, made[at]);
      for (const { number, producers } of topic.partitions) {
        if (producers.length > 0) await into.putProducers(made[at]!.partitions[number]!.id, producers);
      }
    }
    for (const each of copy.damaged.slice(damaged.length)) onProgress({ kind: 'damaged', ...each });
    onProgress({ kind: 'converted', topicCount: topics.length, batchCount: copy.batchCount, totalBytes });
  } finally {
    await begun?.into.close();
  }
  await rename(making, join(directory, LOGS_FOLDER));
  syncDirectory(directory);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Returns how many bytes the disk has free. @throws StoreError `unsupported` where that is too little for a copy */
async function demandSpace(directory: string, bytes: number): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= bytes + conversionSpareBytes) return freeBytes;
  throw new StoreError(
    'unsupported',
    `the logs in ${directory} are of an older version and have to be copied, which takes ${megabytes(bytes + conversionSpareBytes)}; its disk has ${megabytes(freeBytes)} free. Nothing was changed in them: make room, or go back to the older version as docs/upgrade.md says`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString('en-US')} MB`;
}

/** The same topic for another store. */
export function newTopicOf({ name, topicId, configs, createdAtMs, partitions }: StoredTopic) {
  return { name, topicId, configs, createdAtMs, partitionCount: partitions.length };
}

/**
 * That a store of an older version has nothing which the segment files have not, as after a conversion.
 *
 * @throws StoreError `unsupported` where it has: somebody has put it there, and nobody can know which of the two counts.
 */
export function checkConverted(
  directory: string,
  topics: readonly StoredTopic[],
  converted: readonly StoredTopic[],
): void {
  const ends = new Map(
    converted.flatMap(({ topicId, partitions }) =>
      partitions.map(({ number, nextOffset }) => [placeOf(topicId, number), nextOffset] as const),
    ),
  );
  const other = topics.find(({ topicId, partitions }) =>
    partitions.some(({ number, nextOffset }) => (ends.get(placeOf(topicId, number)) ?? -1) < nextOffset),
  );
  if (other === undefined) return;
  throw new StoreError(
    'unsupported',
    `${directory} has two stores with logs: topic ${other.name} of tinymq.db is not in ${LOGS_FOLDER}; move one of the two away`,
  );
}

function placeOf(topicId: Uint8Array, number: number): string {
  return `${Buffer.from(topicId).toString('hex')}/${number}`;
}
