import { existsSync, renameSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { descriptorLimit } from '../../lib/descriptor-limit.ts';
import {
  kafkaOpenFilesAtLeast,
  kafkaOpenFilesAtMost,
  kafkaOpenFilesShare,
  kafkaProducerNoteBatches,
  kafkaSegmentBytes,
} from '../../limits/store.ts';
import { noSuchPartition } from '../batch-rules.ts';
import type { FsyncPolicy } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import type { WriteTimes } from '../write-times.ts';
import { Appending, type AppendOptions, cutTorn } from './append.ts';
import { type ChangedDirectory, ChangeGroup } from './change-group.ts';
import { CleanShutdownMarks, SavedCheckpoints, saveRecoveryPoints } from './checkpoints.ts';
import { FileHandles } from './file-handles.ts';
import { FileWrites } from './file-writes.ts';
import { type DirectoryIdentity, METADATA_TOPIC, partitionFolder, readIdentity } from './files.ts';
import { KafkaGroups } from './groups.ts';
import { KafkaJournal } from './journal.ts';
import type { JournalEntry } from './journal-state.ts';
import { passLeftovers, removePassing } from './leftovers.ts';
import { type DirectoryLocks, releaseLocks } from './lock.ts';
import { loadMetadata, MetadataImage, type MetadataTopic } from './metadata.ts';
import { KafkaPartition } from './partition.ts';
import { followProducers } from './producers.ts';
import { RedoLog } from './redo-log.ts';
import type { OpenFiles } from './rewrite.ts';
import type { KafkaSegment } from './segment.ts';
import { linkFiles } from './snapshot.ts';
import { type KnownTransactions, saveTransactionIndexes } from './transactions.ts';
import { WaitingNotes } from './waiting-notes.ts';

export interface KafkaDirectoryOptions {
  /** Kafka's `log.dirs`; the journal of our own lies in the first. Those that are missing are created. */
  directories: string[];
  /** Kafka's `metadata.log.dir`; without it the metadata log is looked for in all directories. */
  metadataDirectory?: string;
  fsync: FsyncPolicy;
  times?: WriteTimes;
  /** Kafka's `log.segment.bytes`, for topics that say nothing else. */
  segmentBytes?: number;
  /** Bytes of one of the two files of the redo log before what it holds is synced in its place. */
  redoBytes?: number;
  /** Kafka's `offsets.topic.num.partitions`, where there is no `__consumer_offsets` yet. */
  offsetsPartitions?: number;
  /** Whether no Kafka ever has the directories, so that what is left over there is ours to remove. */
  areOurs?: boolean;
}

/** A topic with its open partitions. */
export interface OpenTopic {
  name: string;
  topicId: string;
  createdAtMs: number;
  partitions: KafkaPartition[];
}

/** A partition with its topic. */
export interface OpenPartition {
  partition: KafkaPartition;
  topic: OpenTopic;
}

/** An open Kafka log directory: what is in it, and the files that stand beside the partitions. */
export class KafkaDirectory implements ChangedDirectory {
  readonly options: KafkaDirectoryOptions;
  readonly topics = new Map<string, OpenTopic>();
  readonly partitions = new Map<number, OpenPartition>();
  readonly groups: KafkaGroups;
  readonly journal: KafkaJournal;
  readonly notes: WaitingNotes;
  readonly identities: Map<string, DirectoryIdentity>;
  image: MetadataImage;
  /** The metadata log; undefined where there is none, and no topics then. */
  readonly metadataLog: KafkaPartition | undefined;
  readonly files: OpenFiles = {
    readers: new FileHandles('r', OPEN_FILES),
    writers: new FileHandles('r+', OPEN_FILES),
  };

  /** Of everything that appends. */
  readonly writes: FileWrites;

  /** What is part of a change, to be undone if it fails. */
  readonly unfinished = new Set<ChangeGroup>();

  readonly #locks: DirectoryLocks;
  readonly #onCut: AppendOptions['onCut'];
  readonly #redo: RedoLog;
  readonly #marks: CleanShutdownMarks;
  #isOrderly = true;
  /** Index files that could not be completed, and are still there. */
  readonly #brokenIndexes = new Set<string>();
  readonly #touched = new Set<KafkaPartition>();

  /**
   * Opens everything.
   *
   * @param locks of its directories, which it lets go of when it is closed, or cannot be opened.
   * @throws StoreError `corrupt`, `unsupported`
   */
  constructor(options: KafkaDirectoryOptions, locks: DirectoryLocks, onCut: AppendOptions['onCut']) {
    this.options = options;
    this.#locks = locks;
    this.#onCut = onCut;
    this.#marks = new CleanShutdownMarks(options.directories);
    const directories = allDirectories(options);
    const { syncs } = options.times ?? {};
    this.#redo = new RedoLog([...new Set([...options.directories, ...directories])], syncs);
    this.writes = new FileWrites(this.files.writers, this.#redo, options);
    try {
      this.identities = new Map(directories.map((directory) => [directory, readIdentity(directory)]));
      const metadataFolder = directories
        .map((directory) => join(directory, partitionFolder(METADATA_TOPIC, 0)))
        .find((folder) => existsSync(folder));
      const left = this.#redo.replay();
      this.#redo.forget();
      for (const copy of left)
        onCut(copy, 'the files that it is for have other bytes in its place: they are not ours alone');
      this.journal = KafkaJournal.open(this.#firstDirectory);
      this.notes = new WaitingNotes(this.journal.state);
      this.image = metadataFolder === undefined ? new MetadataImage() : loadMetadata(metadataFolder);
      if (metadataFolder !== undefined) {
        this.metadataLog = new KafkaPartition(0, metadataFolder, this.files.readers);
        this.metadataLog.open(0);
        this.#compareMetadataEnd(this.metadataLog.nextOffset);
      }
      this.#openTopics();
      this.groups = new KafkaGroups(this.journal.state, this.topics);
    } catch (error) {
      releaseLocks(locks);
      throw error;
    }
  }

  /** The values of `meta.properties` in the first directory. */
  get identity(): DirectoryIdentity {
    return this.identities.get(this.#firstDirectory)!;
  }

  /** Where the journal lies; there is one, or nothing would have been opened. */
  get #firstDirectory(): string {
    return this.options.directories[0]!;
  }

  /** The partition with a number of ours. @throws StoreError `not-found` */
  demand(id: number): OpenPartition {
    const found = this.partitions.get(id);
    if (!found) throw noSuchPartition(id);
    return found;
  }

  /** Opens a partition of a topic under a number that is its own. */
  openPartition(
    topic: MetadataTopic,
    number: number,
    ids: Map<string, number>,
    checkpoints = new SavedCheckpoints(),
  ): KafkaPartition {
    let id = ids.get(partitionKey(topic.topicId, number));
    if (id === undefined) {
      id = this.journal.state.lastPartitionId + 1;
      this.notes.add({ kind: 'partition', id, topicId: topic.topicId, number });
    }
    const folder = join(this.#directoryFor(topic, number), partitionFolder(topic.name, number));
    const partition = new KafkaPartition(id, folder, this.files.readers, topic.topicId);
    partition.open(checkpoints.firstOffset(folder), this.#knownTransactions(partition, checkpoints));
    partition.goneMaxTimestamp = this.journal.state.goneTimestamps.get(id) ?? -1;
    const { producers } = this.journal.state;
    if (producers.settle(id, partition.nextOffset)) this.journal.isStale = true;
    const until = producers.until(id) ?? partition.nextOffset;
    followProducers(partition, producers);
    // A crash of the machine took batches that were noted, and others come in their place; or what was noted lies far behind.
    const isFar = until < (partition.segments.at(-1)?.baseOffset ?? 0);
    if (until > partition.nextOffset || isFar) this.notes.addEnd(partition);
    return partition;
  }

  /** Gives all files second names as they are now; nothing may be changed meanwhile. @throws StoreError */
  async link(): ReturnType<typeof linkFiles> {
    return linkFiles(allDirectories(this.options));
  }

  /** @throws StoreError `not-found` where the metadata log or a partition lies in a directory that was not named. */
  demandAll(): void {
    if (this.metadataLog === undefined) {
      throw new StoreError('not-found', `the metadata log is not in ${this.options.directories.join(', ')}`);
    }
    const known = new Set([...this.identities.values()].map(({ directoryId }) => directoryId));
    for (const { name, partitions } of this.image.topics.values()) {
      for (const [number, { directories }] of partitions) {
        const isElsewhere = directories.some((id) => !known.has(id) && !RESERVED_IDS.has(id));
        const folder = partitionFolder(name, number);
        if (!isElsewhere || this.options.directories.some((each) => existsSync(join(each, folder)))) continue;
        const problem = `partition ${number} of topic '${name}' is in none of them: name all log directories`;
        throw new StoreError('not-found', `${this.options.directories.join(', ')}: ${problem}`);
      }
    }
  }

  /** Removes what deleted topics have left; nobody need wait for it. */
  removeLeftovers(): Promise<void> {
    const directories = allDirectories(this.options);
    if (this.options.areOurs) {
      const { deleted } = this.image;
      const open = new Set([...this.partitions.values()].map(({ partition }) => basename(partition.folder)));
      passLeftovers(
        directories,
        (name) => open.has(name),
        (topicId) => deleted.has(topicId),
      );
    }
    return removePassing(directories);
  }

  /** Opens a partition of which there is nothing yet, under a number that it was given. */
  openNewPartition(topic: MetadataTopic, number: number, id: number): KafkaPartition {
    const folder = join(this.#directoryFor(topic, number), partitionFolder(topic.name, number));
    const partition = new KafkaPartition(id, folder, this.files.readers, topic.topicId);
    partition.open(0);
    return partition;
  }

  /** Writes entries to the journal, and those that waited for a first one. */
  async note(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length > 0) await this.#writeNotes(entries);
  }

  /** The same, and also where there are only those that waited. */
  async #writeNotes(entries: readonly JournalEntry[]): Promise<void> {
    const group = new ChangeGroup(this);
    group.note(entries);
    await group.write();
    await group.commit();
  }

  /** Writes the journal anew. */
  async rewriteJournal(): Promise<void> {
    await this.writes.settle([this.journal.path]);
    await this.files.writers.forget(this.journal.path);
    await this.journal.rewrite();
  }

  /**
   * Takes up what was appended to the metadata log meanwhile: a Kafka that is started on a directory which it cannot
   * have votes for itself there before it notices that.
   */
  refreshMetadata(metadataLog: KafkaPartition): void {
    const last = metadataLog.segments.at(-1);
    if (last === undefined || statSync(last.path).size === last.sizeBytes) return;
    this.image = loadMetadata(metadataLog.folder);
    metadataLog.open(0);
  }

  /** Prepares appending to a partition. */
  appending(partition: KafkaPartition, topic?: string): Appending {
    this.touch(partition);
    return new Appending(partition, this.segmentBytes(topic), {
      handles: this.files.writers,
      onCut: this.#onCut,
    });
  }

  /** Makes a group of changes as part of a larger one. */
  async make(group: ChangeGroup): Promise<void> {
    this.unfinished.add(group);
    await group.write();
    await group.commit();
    this.unfinished.delete(group);
  }

  /** Lets readers see what was appended, and writes what stands beside it; undefined where that is nothing. */
  finish(appending: Appending): Promise<void> | undefined {
    const { partition } = appending;
    const { nextOffset } = partition;
    const full = appending.commit();
    this.journal.state.producers.settle(partition.id, partition.nextOffset);
    if (partition.unnotedBatches >= kafkaProducerNoteBatches) this.notes.addProducers(partition);
    const { isDue } = partition.segments.at(-1)!.openIndex;
    if (full.length === 0 && !isDue && !appending.aborts) return undefined;
    return this.#writeIndexes(appending, full, nextOffset);
  }

  /** @param fromOffset of what was appended */
  async #writeIndexes(
    appending: Appending,
    full: readonly KafkaSegment[],
    fromOffset: number,
  ): Promise<void> {
    const { partition } = appending;
    try {
      for (const segment of full) await segment.openIndex.finish();
      const { openIndex } = partition.segments.at(-1)!;
      const { isDue } = openIndex;
      if (isDue) await openIndex.write();
      if (appending.aborts) await saveTransactionIndexes(partition, fromOffset);
      if ((isDue || full.length > 0) && partition !== this.metadataLog) this.notes.addEnd(partition);
    } catch {
      // The batches last, and without their index Kafka makes a new one.
      await this.#dropIndexes(partition);
    }
  }

  /** A partition is changed: its index files are completed at the end. */
  touch(partition: KafkaPartition): void {
    this.#touched.add(partition);
  }

  /** A partition is no more: nothing is written to its files at the end. */
  dropPartition(partition: KafkaPartition): void {
    this.partitions.delete(partition.id);
    this.#touched.delete(partition);
  }

  /** Before the files of a partition change otherwise than by appending. */
  async prepare(partition: KafkaPartition): Promise<void> {
    await this.beforeChange();
    await this.writes.settle(partition.segments.map(({ path }) => path));
    this.touch(partition);
    await cutTorn(partition, this.#onCut);
  }

  /** Before batches go: what the newest of them said of the time is kept, and what their headers say of producers. */
  async prepareRemoval(partition: KafkaPartition): Promise<void> {
    const { id, maxTimestamp } = partition;
    await this.prepare(partition);
    if (partition.unnotedBatches > 0) this.notes.addProducers(partition);
    await this.note([{ kind: 'gone-timestamp', id, maxTimestamp }]);
  }

  /** Index files could not be written: they go, and it will be no clean shutdown. */
  async #dropIndexes(partition: KafkaPartition): Promise<void> {
    this.#isOrderly = false;
    for (const { stem } of partition.segments.slice(-2)) {
      for (const suffix of ['.index', '.timeindex']) this.#brokenIndexes.add(stem + suffix);
    }
    await this.#removeBrokenIndexes();
  }

  /** Those that the disk does not let go of now are tried again at the end. */
  async #removeBrokenIndexes(): Promise<void> {
    for (const file of this.#brokenIndexes) {
      await rm(file, { force: true }).then(
        () => this.#brokenIndexes.delete(file),
        () => {},
      );
    }
  }

  segmentBytes(topic: string | undefined): number {
    const configured = Number(topic && this.image.configs.get(topic)?.get('segment.bytes'));
    return configured > 0 ? configured : (this.options.segmentBytes ?? kafkaSegmentBytes);
  }

  /** After this Kafka looks the newest segments through itself, until {@link close} says that all is in order. */
  beforeChange(): Promise<void> | undefined {
    return this.#marks.areThere ? this.#marks.take() : undefined;
  }

  /** Leaves everything so that Kafka need not look it through, if that is how it was found. */
  async close(): Promise<void> {
    try {
      await this.#removeBrokenIndexes();
      if (!this.#isOrderly) return;
      for (const partition of this.#touched) {
        await partition.segments.at(-1)?.openIndex.finish();
        if (partition !== this.metadataLog) this.notes.addEnd(partition);
      }
      const touched = [...this.#touched].filter((partition) => partition !== this.metadataLog);
      if (this.notes.areDue) await this.#writeNotes([]);
      await this.writes.checkpoint();
      await this.#redo.remove();
      await saveRecoveryPoints(this.#touched);
      // Kafka knows what is open from its snapshots of producers, which segments of ours do not have: it has to look.
      const isAnyOpen = touched.some(({ transactions }) => transactions.firstOpenOffset !== undefined);
      if (!isAnyOpen) await this.#marks.giveBack();
    } finally {
      await this.release();
    }
  }

  /** Closes the files and gives the directory free. */
  async release(): Promise<void> {
    await this.writes.end();
    await this.#redo.close().catch(() => {});
    await this.files.readers.close();
    await this.files.writers.close();
    releaseLocks(this.#locks);
  }

  #openTopics(): void {
    const ids = new Map<string, number>();
    for (const [id, { topicId, number }] of this.journal.state.partitions)
      ids.set(partitionKey(topicId, number), id);
    const checkpoints = new SavedCheckpoints();
    const topics = [...this.image.topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const topic of topics) {
      const numbers = [...topic.partitions.keys()].sort((a, b) => a - b);
      const partitions = numbers.map((number) => this.openPartition(topic, number, ids, checkpoints));
      this.addTopic({ name: topic.name, topicId: topic.topicId, createdAtMs: topic.createdAtMs, partitions });
    }
  }

  /** Makes topics and partitions what the disk says, after a change failed half-way. */
  async reconcile(): Promise<void> {
    const checkpoints = new SavedCheckpoints();
    for (const partition of this.#touched) {
      await partition.gate.alone(async () => {
        for (const { path } of partition.segments) {
          await this.files.readers.forget(path);
          await this.files.writers.forget(path);
        }
        if (partition === this.metadataLog) partition.open(0);
        else {
          const firstOffset = checkpoints.firstOffset(partition.folder);
          partition.open(firstOffset, this.#knownTransactions(partition, checkpoints));
        }
      });
    }
    for (const topic of this.image.topics.values()) {
      const known = this.topics.get(topic.name) ?? { ...topic, partitions: [] };
      for (let number = known.partitions.length; number < topic.partitions.size; number++) {
        known.partitions.push(this.openPartition(topic, number, new Map(), checkpoints));
      }
      this.addTopic(known);
    }
  }

  addTopic(topic: OpenTopic): void {
    this.topics.set(topic.name, topic);
    for (const partition of topic.partitions) this.partitions.set(partition.id, { partition, topic });
  }

  #knownTransactions({ id, folder }: KafkaPartition, checkpoints: SavedCheckpoints): KnownTransactions {
    const noted = this.journal.state.transactions.get(id);
    return { trustedUntil: checkpoints.trustedUntil(folder), noted };
  }

  /** A metadata log that has grown means that Kafka was here; producers and members may have gone on with it. */
  #compareMetadataEnd(end: number): void {
    const { state } = this.journal;
    if (end > state.metadataEnd && state.forgetClients()) this.journal.isStale = true;
    if (end === state.metadataEnd) return;
    this.notes.add({ kind: 'metadata-end', offset: end });
  }

  /**
   * Moves away what a topic of the same name has left, as Kafka does, where a new partition is to have its folder. That can
   * only be from before a crash: the redo log has nothing of it.
   *
   * @throws errors of the system.
   */
  clearPlaces(topic: string, numbers: readonly number[]): void {
    for (const number of numbers) {
      for (const directory of this.options.directories) {
        const folder = join(directory, partitionFolder(topic, number));
        if (!existsSync(folder)) continue;
        renameSync(folder, `${folder}.${crypto.randomUUID().replaceAll('-', '')}-stray`);
        syncDirectory(directory);
      }
    }
  }

  /** The directory that a partition's folder lies in, or is to lie in. */
  #directoryFor(topic: MetadataTopic, number: number): string {
    const { directories } = this.options;
    const folder = partitionFolder(topic.name, number);
    const named = topic.partitions.get(number)?.directories ?? [];
    return (
      directories.find((directory) => existsSync(join(directory, folder))) ??
      directories.find((directory) => named.includes(this.identities.get(directory)!.directoryId)) ??
      this.#firstDirectory
    );
  }
}

/** What Kafka writes in the place of the id of a directory: lost, not assigned, not known yet (KIP-858: 0, 1 and 2). */
const RESERVED_IDS = new Set([0, 1, 2].map((last) => Buffer.alloc(16).fill(last, 15).toString('base64url')));

const OPEN_FILES = Math.min(
  Math.max(Math.floor((descriptorLimit() ?? 0) * kafkaOpenFilesShare), kafkaOpenFilesAtLeast),
  kafkaOpenFilesAtMost,
);

/** The name of a partition among the numbers of partitions. */
function partitionKey(topicId: string, number: number): string {
  return `${topicId}/${number}`;
}

/** Those of the logs, and that of the metadata log where it is named. @throws StoreError `invalid` */
export function allDirectories({ directories, metadataDirectory }: KafkaDirectoryOptions): string[] {
  if (directories.length === 0) throw new StoreError('invalid', 'a Kafka log directory has a path');
  return [...new Set(metadataDirectory ? [metadataDirectory, ...directories] : directories)];
}
