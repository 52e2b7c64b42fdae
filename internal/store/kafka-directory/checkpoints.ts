import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../sync-directory.ts';
import {
  CLEAN_SHUTDOWN_FILE,
  LOG_START_FILE,
  METADATA_TOPIC,
  partitionFolder,
  RECOVERY_POINT_FILE,
  readOffsetCheckpoint,
  writeAtomically,
  writeOffsetCheckpoint,
} from './files.ts';
import type { KafkaPartition } from './partition.ts';

/** What the checkpoints of directories say of their partitions, each file read once. */
export class SavedCheckpoints {
  readonly #files = new Map<string, Map<string, number>>();

  /** The first offset of the partition in a folder by Kafka's checkpoint; 0 if it says nothing. */
  firstOffset(folder: string): number {
    return this.#read(join(dirname(folder), LOG_START_FILE)).get(checkpointKey(folder)) ?? 0;
  }

  /** Up to where everything that Kafka wrote of the partition in a folder is on the disk. */
  trustedUntil(folder: string): number {
    const directory = dirname(folder);
    if (existsSync(join(directory, CLEAN_SHUTDOWN_FILE))) return Number.POSITIVE_INFINITY;
    return this.#read(join(directory, RECOVERY_POINT_FILE)).get(checkpointKey(folder)) ?? 0;
  }

  #read(file: string): Map<string, number> {
    let offsets = this.#files.get(file);
    if (offsets === undefined) {
      offsets = readOffsetCheckpoint(file);
      this.#files.set(file, offsets);
    }
    return offsets;
  }
}

/** Writes it there. */
export async function saveFirstOffset(folder: string, offset: number): Promise<void> {
  const file = join(dirname(folder), LOG_START_FILE);
  const starts = readOffsetCheckpoint(file);
  starts.set(checkpointKey(folder), offset);
  await writeOffsetCheckpoint(file, starts);
}

/** Forgets the first offsets of partitions that are gone: others of their names begin at 0. */
export async function forgetFirstOffsets(folders: readonly string[]): Promise<void> {
  for (const [directory, gone] of Map.groupBy(folders, dirname)) {
    const file = join(directory, LOG_START_FILE);
    const starts = readOffsetCheckpoint(file);
    const had = gone.filter((folder) => starts.delete(checkpointKey(folder)));
    if (had.length > 0) await writeOffsetCheckpoint(file, starts);
  }
}

/** Writes for partitions that are in order that Kafka need not look them through. */
export async function saveRecoveryPoints(ordered: Iterable<KafkaPartition>): Promise<void> {
  const byDirectory = Map.groupBy(ordered, ({ folder }) => dirname(folder));
  for (const [directory, partitions] of byDirectory) {
    const file = join(directory, RECOVERY_POINT_FILE);
    const points = readOffsetCheckpoint(file);
    for (const { folder, nextOffset } of partitions) {
      const isMetadata = basename(folder) === partitionFolder(METADATA_TOPIC, 0);
      if (!isMetadata && existsSync(folder)) points.set(checkpointKey(folder), nextOffset);
    }
    await writeOffsetCheckpoint(file, points);
  }
}

/**
 * The marks by which Kafka knows that it need not look the newest segments through. They are away while something may
 * be half written.
 */
export class CleanShutdownMarks {
  readonly #directories: readonly string[];
  /** Their values, by directory. */
  readonly #taken = new Map<string, Buffer>();
  /** Whether there may be some. */
  areThere = true;

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  async take(): Promise<void> {
    for (const directory of this.#directories) {
      const mark = join(directory, CLEAN_SHUTDOWN_FILE);
      if (!existsSync(mark)) continue;
      this.#taken.set(directory, readFileSync(mark));
      await rm(mark);
      syncDirectory(directory);
    }
    this.areThere = false;
  }

  /** Only those that were there: where Kafka had no clean shutdown, it has to look. */
  async giveBack(): Promise<void> {
    for (const [directory, mark] of this.#taken) {
      await writeAtomically(join(directory, CLEAN_SHUTDOWN_FILE), mark);
    }
  }
}

/** The topic and the number of the partition in a folder, as the checkpoints have them. */
function checkpointKey(folder: string): string {
  const [, topic, number] = /^(.*)-(\d+)$/.exec(basename(folder))!;
  return `${topic} ${number}`;
}
