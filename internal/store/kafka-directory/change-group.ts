import { atMost } from '../../lib/at-most.ts';
import { kafkaNewFilesAtOnce } from '../../limits/store.ts';
import type { NewBatch, StoredProducer } from '../log-store.ts';
import type { Appending } from './append.ts';
import type { FileWrite } from './file-write.ts';
import type { FileWrites } from './file-writes.ts';
import type { KafkaJournal } from './journal.ts';
import type { JournalEntry } from './journal-state.ts';
import { NewFiles } from './new-files.ts';
import type { KafkaPartition } from './partition.ts';
import type { WaitingNotes } from './waiting-notes.ts';

/** The open directory that groups of changes are made in. */
export interface ChangedDirectory {
  readonly journal: KafkaJournal;
  readonly notes: WaitingNotes;
  readonly writes: FileWrites;
  /** Before the first change, and any other; undefined where there is nothing to do. */
  beforeChange(): Promise<void> | undefined;
  appending(partition: KafkaPartition, topic?: string): Appending;
  /** Lets readers see what was appended; what resolves later stands beside it. */
  finish(appending: Appending): Promise<void> | undefined;
  /** Writes entries to the journal by themselves. */
  note(entries: readonly JournalEntry[]): Promise<void>;
  rewriteJournal(): Promise<void>;
}

/** A batch has to be in the group behind the one that it was for, of which nothing else was taken. */
export class NextGroup extends Error {}

/**
 * Batches for partitions and entries for the journal that are written together: {@link write}, and then {@link commit}, or
 * {@link undo} where that failed. A small group comes to last as a whole or not at all; of a large one a crash may leave a part,
 * of which nobody was told.
 */
export class ChangeGroup {
  readonly #directory: ChangedDirectory;
  readonly #appendings = new Map<KafkaPartition, Appending>();
  readonly #entries: JournalEntry[] = [];
  /** To be written before all else. */
  readonly #firstEntries: JournalEntry[] = [];
  /** What the headers of batches say of their producers. */
  readonly #producers: { partition: KafkaPartition; producer: StoredProducer; lastOffset: number }[] = [];
  readonly #calls: (() => void)[] = [];
  #noted: JournalEntry[] = [];
  #journalWrite: FileWrite | undefined;

  constructor(directory: ChangedDirectory) {
    this.#directory = directory;
  }

  /** Takes a batch for a partition. @throws StoreError `conflict`, `invalid`; NextGroup */
  append(partition: KafkaPartition, topic: string | undefined, batch: NewBatch, mayLeaveGap = false): void {
    const appending = this.#appending(partition, topic);
    if (!appending.fits(batch)) throw new NextGroup();
    const isTold = appending.add(batch, mayLeaveGap);
    const { producer, lastOffset } = batch;
    if (producer === undefined) return;
    if (isTold) this.#producers.push({ partition, producer, lastOffset });
    else this.#entries.push(producerEntry(partition, producer, lastOffset));
  }

  /** Takes entries for the journal. */
  note(entries: readonly JournalEntry[]): void {
    this.#entries.push(...entries);
  }

  /** Takes an entry that has to last before anything else of the group does. */
  noteFirst(entry: JournalEntry): void {
    this.#firstEntries.push(entry);
  }

  /** Calls back when all of it lasts. */
  afterwards(call: () => void): void {
    this.#calls.push(call);
  }

  /** The offset that the next batch of a partition has to have. */
  nextOffset(partition: KafkaPartition): number {
    return this.#appendings.get(partition)?.nextOffset ?? partition.nextOffset;
  }

  get isEmpty(): boolean {
    return this.#appendings.size === 0 && this.#entries.length === 0;
  }

  /** Makes all of it last. Groups of one record are many: what has nothing to do is not waited for. @throws errors of the system */
  async write(): Promise<void> {
    const directory = this.#directory;
    const before = directory.beforeChange();
    if (before !== undefined) await before;
    if (directory.journal.isStale) await directory.rewriteJournal();
    const firstEntries = [...this.#firstEntries, ...this.#firstProducers()];
    if (firstEntries.length > 0) await directory.note(firstEntries);
    const needing: Appending[] = [];
    for (const appending of this.#appendings.values()) if (appending.needsFiles) needing.push(appending);
    if (needing.length > 0) await makeFiles(needing);
    const writes: FileWrite[] = [];
    for (const appending of this.#appendings.values()) writes.push(...appending.writes);
    this.#noted = [...directory.notes.forGroup(this.#entries.length), ...this.#entries];
    if (this.#noted.length > 0) {
      this.#journalWrite = await directory.journal.prepare(this.#noted);
      writes.push(this.#journalWrite);
    }
    await directory.writes.write(writes);
  }

  /** Lets readers see it. */
  async commit(): Promise<void> {
    const directory = this.#directory;
    if (this.#journalWrite !== undefined) {
      directory.journal.commit(this.#noted, this.#journalWrite);
      directory.notes.last(this.#noted.length - this.#entries.length);
    }
    const { producers } = directory.journal.state;
    for (const { partition, producer, lastOffset } of this.#producers) {
      producers.note(partition.id, producer, lastOffset);
      partition.unnotedBatches++;
    }
    for (const appending of this.#appendings.values()) {
      const finishing = directory.finish(appending);
      if (finishing !== undefined) await finishing;
    }
    for (const call of this.#calls) call();
    if (directory.journal.isLong) directory.journal.isStale = true;
  }

  /** Takes away what may have been written to segments. */
  async undo(): Promise<void> {
    for (const appending of this.#appendings.values()) {
      await appending.undo();
      const { id, nextOffset } = appending.partition;
      this.#directory.journal.state.producers.settle(id, nextOffset);
    }
  }

  #appending(partition: KafkaPartition, topic: string | undefined): Appending {
    let appending = this.#appendings.get(partition);
    if (appending === undefined) {
      appending = this.#directory.appending(partition, topic);
      this.#appendings.set(partition, appending);
    }
    return appending;
  }

  /** From which batch on headers tell of producers has to be known before the first such batch is there. */
  #firstProducers(): JournalEntry[] {
    if (this.#producers.length === 0) return [];
    const { producers } = this.#directory.journal.state;
    const firsts = new Set<KafkaPartition>();
    for (const { partition } of this.#producers) {
      if (producers.until(partition.id) === undefined) firsts.add(partition);
    }
    return [...firsts].map(({ id, nextOffset }) => ({ kind: 'producers-until', id, offset: nextOffset }));
  }
}

async function makeFiles(appendings: readonly Appending[]): Promise<void> {
  const newFiles = new NewFiles();
  await atMost(kafkaNewFilesAtOnce, appendings, (appending) => appending.prepare(newFiles));
  await newFiles.sync();
}

function producerEntry({ id }: KafkaPartition, producer: StoredProducer, lastOffset: number): JournalEntry {
  const state = Buffer.from(producer.state).toString('base64');
  return { kind: 'producer', id, producerId: String(producer.id), lastOffset, state };
}
