import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RecordBatchError } from '../../batch/batch-error.ts';
import { crc32c } from '../../batch/crc32c.ts';
import { BATCH_HEADER_BYTES, BatchHeader, checkBatch } from '../../batch/record-batch.ts';
import { verifyBatchesBetween, verifyProblems } from '../../limits/store.ts';
import type { Verified, Verifying } from '../sqlite/verify.ts';
import { StoreError } from '../store-error.ts';
import { FileHandles } from './file-handles.ts';
import {
  CLEAN_SHUTDOWN_FILE,
  type EpochStart,
  LEADER_EPOCH_FILE,
  LOG_START_FILE,
  METADATA_TOPIC,
  namesIn,
  PARTITION_METADATA_FILE,
  partitionFolder,
  RECOVERY_POINT_FILE,
  readAt,
  readEpochs,
  readOffsetCheckpoint,
  segmentBase,
  TRANSACTION_INDEX_SUFFIX,
} from './files.ts';
import { KafkaJournal } from './journal.ts';
import { lockDirectories, releaseLocks } from './lock.ts';
import { loadMetadata, MetadataImage, type MetadataTopic } from './metadata.ts';
import { KafkaPartition } from './partition.ts';
import { identityProblems } from './verify-identity.ts';
import { indexBytes, PartitionTransactions, SegmentBatches } from './verify-indexes.ts';
import { parseSoundHeader } from './walk.ts';

/**
 * Reads the log directories of a Kafka whole: batches with their indexes, the metadata log, checkpoints, who the directories belong to,
 * and our journal. Nobody may have the directories meanwhile.
 *
 * @throws StoreError `locked`, `not-found`.
 */
export async function* verifyKafkaDirectories(directories: readonly string[]): Verifying {
  const missing = directories.find((directory) => !existsSync(directory));
  if (missing !== undefined) throw new StoreError('not-found', `there is no folder ${missing}`);
  const locks = lockDirectories(directories);
  try {
    return yield* new KafkaVerification(directories).run();
  } finally {
    releaseLocks(locks);
  }
}

/** Of a file that says only what the batches say, too: whoever reads it looks whether it is right. */
const NOT_NEEDED = 'nothing is lost: a broker goes by the batches in its place, and makes it anew';
/** Without a file nothing was aborted, and one that only looks right is believed. */
const MADE_ANEW =
  'records of aborted transactions may be read; a broker makes it anew from the batches where it finds one byte in its place';

/** What the checkpoints of a directory say of a partition. */
interface Expected {
  readonly first: number | undefined;
  readonly recovery: number | undefined;
  readonly isClean: boolean;
  /** Who says until where batches were whole. */
  readonly by: string;
}

class KafkaVerification {
  readonly #directories: readonly string[];
  readonly #found: Verified = {
    ...{ topics: 0, batches: 0, records: 0, bytes: 0, entries: 0, unchecked: 0, problems: [] },
  };

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  async *run(): Verifying {
    const found = this.#found;
    const journal = this.#attempt(() => KafkaJournal.open(this.#directories[0]!));
    found.entries = journal?.state.keptEntries.size ?? 0;
    const image = this.#attempt(() => this.#image()) ?? new MetadataImage();
    for (const problem of identityProblems(this.#directories)) this.#report(problem);
    for (const directory of this.#directories) {
      for (const file of [LOG_START_FILE, RECOVERY_POINT_FILE]) this.#checkCheckpoint(join(directory, file));
    }
    for (const _ of this.#metadataLog(journal)) yield found;
    for (const topic of image.topics.values()) {
      found.topics++;
      for (const number of topic.partitions.keys()) {
        for (const _ of this.#partition(topic, number, journal)) yield found;
        if (found.problems.length >= verifyProblems) return found;
      }
    }
    return found;
  }

  /** Its end is in the journal too: a topic would be gone with the batches behind a damaged one. */
  *#metadataLog(journal: KafkaJournal | undefined): Generator<undefined, void> {
    const place = this.#folderOf(METADATA_TOPIC, 0);
    if (place === undefined) return;
    const { batches, records, bytes } = this.#found;
    const end = journal?.state.metadataEnd ?? -1;
    const expected = { first: undefined, recovery: end < 0 ? undefined : end, isClean: false };
    yield* this.#segments(place.folder, 'the metadata log', { ...expected, by: 'the journal' }, []);
    Object.assign(this.#found, { batches, records, bytes });
  }

  #image(): MetadataImage {
    const folder = this.#folderOf(METADATA_TOPIC, 0);
    return folder === undefined ? new MetadataImage() : loadMetadata(folder.folder);
  }

  /** Whether no Kafka was started here since the journal was written: each one writes into the metadata log. */
  #isOurs(journal: KafkaJournal | undefined): boolean {
    const place = this.#folderOf(METADATA_TOPIC, 0);
    if (place === undefined) return true;
    const metadataLog = new KafkaPartition(0, place.folder, new FileHandles('r', 1));
    metadataLog.open(0);
    return metadataLog.nextOffset === journal?.state.metadataEnd;
  }

  #folderOf(topic: string, number: number): { directory: string; folder: string } | undefined {
    const name = partitionFolder(topic, number);
    const directory = this.#directories.find((each) => existsSync(join(each, name)));
    return directory === undefined ? undefined : { directory, folder: join(directory, name) };
  }

  *#partition(
    { name, topicId }: MetadataTopic,
    number: number,
    journal: KafkaJournal | undefined,
  ): Generator<undefined, void> {
    const where = `topic '${name}' partition ${number}`;
    const place = this.#folderOf(name, number);
    if (place === undefined) return;
    const { directory, folder } = place;
    this.#checkIdentity(join(folder, PARTITION_METADATA_FILE), topicId);
    const epochFile = join(folder, LEADER_EPOCH_FILE);
    this.#checkCheckpoint(epochFile);
    for (const file of namesIn(folder).filter((each) => each.endsWith('.snapshot'))) {
      if (!isSnapshotWhole(readFileSync(join(folder, file))))
        this.#report(`${join(folder, file)} is damaged; ${NOT_NEEDED}`);
    }
    const key = `${name} ${number}`;
    const expected = {
      first: readOffsetCheckpoint(join(directory, LOG_START_FILE)).get(key),
      recovery: readOffsetCheckpoint(join(directory, RECOVERY_POINT_FILE)).get(key),
      isClean: existsSync(join(directory, CLEAN_SHUTDOWN_FILE)),
      by: RECOVERY_POINT_FILE,
    };
    const id = [...(journal?.state.partitions ?? [])].find(
      ([, each]) => each.topicId === topicId && each.number === number,
    )?.[0];
    const noted = id === undefined ? undefined : journal?.state.firstOffsets.get(id);
    const { first = 0 } = expected;
    // Where a crash came behind the note, the file need not say it if there is nothing before that offset.
    const begin = Math.max(first, firstBaseIn(folder));
    // A Kafka that had the directory since may have deleted more.
    if (noted !== undefined && (begin < noted || (first > noted && this.#isOurs(journal)))) {
      this.#report(`${where}: its first offset is ${first} in ${LOG_START_FILE}, and was ${noted}`);
    }
    yield* this.#segments(folder, where, expected, readEpochs(epochFile));
  }

  *#segments(
    folder: string,
    where: string,
    expected: Expected,
    epochs: readonly EpochStart[],
  ): Generator<undefined, void> {
    const names = namesIn(folder)
      .filter((name) => segmentBase(name) !== undefined)
      .sort();
    const ends = new Set<number>();
    const known = { epochs, firstOffset: expected.first ?? 0, transactions: new PartitionTransactions() };
    let next = 0;
    for (const [index, file] of names.entries()) {
      const base = segmentBase(file)!;
      if (base < next) this.#report(`${where}: segment ${file} overlaps with the one before`);
      next = Math.max(next, base);
      ends.add(next);
      const until = names[index + 1] === undefined ? undefined : segmentBase(names[index + 1]!)!;
      const segment = new SegmentVerification(join(folder, file), where, known, (text) => this.#report(text));
      next = yield* segment.run(next, until, this.#found, ends);
    }
    const { first, recovery, isClean, by } = expected;
    if (first !== undefined && first > next && names.length > 0) {
      this.#report(`${where}: ${LOG_START_FILE} says that it begins at ${first}, behind its end ${next}`);
    }
    if (recovery === undefined || names.length === 0) return;
    if (
      recovery > next ||
      (recovery >= (first ?? 0) && !ends.has(recovery)) ||
      (isClean && recovery !== next)
    ) {
      this.#report(
        `${where}: ${by} says that a batch ended before ${recovery}; there is none, and the last ends before ${next}`,
      );
    }
  }

  /** @returns undefined where it is damaged, which is told. */
  #attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof SyntaxError)) throw error;
      this.#report(error.message);
      return undefined;
    }
  }

  /** A version, a count, and so many lines of offsets. */
  #checkCheckpoint(file: string): void {
    if (!existsSync(file)) return;
    const [version, count, ...lines] = readFileSync(file, 'utf8').split('\n');
    const isWhole =
      version === '0' &&
      lines.pop() === '' &&
      String(lines.length) === count &&
      lines.every((line) => /^(\S+ )?\d+ \d+$/.test(line));
    if (!isWhole) this.#report(`${file} is damaged`);
  }

  #checkIdentity(file: string, topicId: string): void {
    if (!existsSync(file)) return;
    const expected = `version: 0\ntopic_id: ${topicId}`;
    if (readFileSync(file, 'utf8').trimEnd() !== expected) this.#report(`${file} is damaged`);
  }

  #report(problem: string): void {
    if (this.#found.problems.length < verifyProblems) this.#found.problems.push(problem);
  }
}

/** What the first segment of a partition begins with; 0 where there is none. */
function firstBaseIn(folder: string): number {
  const bases = namesIn(folder).flatMap((name) => segmentBase(name) ?? []);
  return bases.length === 0 ? 0 : Math.min(...bases);
}

/** What is known of a partition when one of its segments is read. */
interface Known {
  readonly epochs: readonly EpochStart[];
  /** Kafka forgets the epochs of what was deleted before this offset, although the segment still has it. */
  readonly firstOffset: number;
  readonly transactions: PartitionTransactions;
}

/** The batches of one segment, one behind the other. */
class SegmentVerification {
  readonly #file: string;
  readonly #where: string;
  readonly #known: Known;
  readonly #report: (problem: string) => void;
  readonly #header = new BatchHeader();
  readonly #batches = new SegmentBatches();

  constructor(file: string, where: string, known: Known, report: (problem: string) => void) {
    this.#file = file;
    this.#where = where;
    this.#known = known;
    this.#report = report;
  }

  /**
   * @param base the first offset that there may be.
   * @param until what the next segment begins with; undefined for the last one, of which a crash may have left a part of a batch.
   * @param ends gets the offsets behind batches.
   * @returns the offset behind the last batch.
   */
  *run(
    base: number,
    until: number | undefined,
    found: Verified,
    ends: Set<number>,
  ): Generator<undefined, number> {
    const header = this.#header;
    const fd = openSync(this.#file, 'r');
    try {
      const { size } = fstatSync(fd);
      let next = base;
      let isWhole = true;
      for (let position = 0; position < size; ) {
        const head = readAt(fd, new Uint8Array(BATCH_HEADER_BYTES), position);
        const isSound = head.length === BATCH_HEADER_BYTES && parseSoundHeader(head, 0, next, header);
        const sizeBytes = header.end - header.at;
        if (!isSound || position + sizeBytes > size) {
          this.#told(position, next, until, head);
          return until ?? next;
        }
        const { baseOffset, lastOffset, recordCount } = header;
        const bytes = readAt(fd, new Uint8Array(sizeBytes), position);
        parseSoundHeader(bytes, 0, next, header);
        const problem = this.#problemOf(bytes, until);
        if (problem === undefined) {
          this.#batches.note(header, position);
          this.#known.transactions.note(bytes, header);
        } else {
          isWhole = false;
          this.#report(`${this.#where}, offsets ${baseOffset} to ${lastOffset}: ${problem}`);
        }
        found.records += recordCount;
        found.bytes += sizeBytes;
        next = lastOffset + 1;
        ends.add(next);
        position += sizeBytes;
        if (++found.batches % verifyBatchesBetween === 0) yield;
      }
      // Where a batch is damaged, it cannot be said what an index should say.
      if (isWhole) this.#checkIndexes();
      return next;
    } finally {
      closeSync(fd);
    }
  }

  #checkIndexes(): void {
    const stem = this.#file.slice(0, -'.log'.length);
    const baseOffset = segmentBase(basename(this.#file))!;
    const offsets = indexBytes(`${stem}.index`);
    const times = indexBytes(`${stem}.timeindex`);
    const isRight = {
      '.index': offsets === undefined || this.#batches.isOffsetIndexRight(offsets, baseOffset),
      '.timeindex': times === undefined || this.#batches.isTimeIndexRight(times, baseOffset),
    };
    for (const [suffix, isSo] of Object.entries(isRight)) {
      if (!isSo) this.#report(`${stem}${suffix} is damaged; ${NOT_NEEDED}`);
    }
    if (!this.#known.transactions.isIndexRight(stem, baseOffset))
      this.#report(`${stem}${TRANSACTION_INDEX_SUFFIX} is damaged; ${MADE_ANEW}`);
  }

  #problemOf(bytes: Uint8Array, until: number | undefined): string | undefined {
    const header = this.#header;
    try {
      checkBatch(bytes, header);
    } catch (error) {
      if (!(error instanceof RecordBatchError)) throw error;
      return `the bytes are not what was written: ${error.message}`;
    }
    if (until !== undefined && header.lastOffset >= until) return 'they reach into the next segment';
    const { baseOffset, partitionLeaderEpoch } = header;
    const { epochs, firstOffset } = this.#known;
    const epoch = epochs.findLast(({ startOffset }) => startOffset <= baseOffset)?.epoch;
    if (epoch !== undefined && epoch !== partitionLeaderEpoch) {
      return `epoch ${partitionLeaderEpoch} is not that of ${LEADER_EPOCH_FILE}, ${epoch}`;
    }
    return epoch === undefined && epochs.length > 0 && baseOffset >= firstOffset
      ? `${LEADER_EPOCH_FILE} begins behind them`
      : undefined;
  }

  #told(position: number, next: number, until: number | undefined, head: Uint8Array): void {
    const isEmpty = head.every((byte) => byte === 0);
    if (until === undefined && isEmpty) return;
    const how = until === undefined ? '; a crash while it was written leaves that too' : '';
    this.#report(
      `${this.#where}, from offset ${next} on: there is no whole batch at byte ${position} of ${this.#file}${how}`,
    );
  }
}

const SNAPSHOT_CRC_AT = 2;
const SNAPSHOT_CRC_END = 6;

/** What Kafka keeps of producers: a version, a checksum, and all that it is of. */
function isSnapshotWhole(bytes: Buffer): boolean {
  if (bytes.length < SNAPSHOT_CRC_END || bytes.readInt16BE(0) !== 1) return false;
  return bytes.readUInt32BE(SNAPSHOT_CRC_AT) === crc32c(bytes, SNAPSHOT_CRC_END, bytes.length);
}
