import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { kafkaJournalBytes } from '../../limits/store.ts';
import { groupOfKey } from '../group-members.ts';
import type { GroupOffset, StoredProducer } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { writeAtomically } from './files.ts';
import type { Sync } from './sync.ts';
import type { OpenTransactions } from './transactions.ts';

const JOURNAL = 'tinymq.journal';

/** Facts that Kafka has no place for. One line each: its CRC-32 in hexadecimal digits, a space, and this as JSON. */
export type JournalEntry =
  /** The number of a partition; the highest one is never given again. */
  | { kind: 'partition'; id: number; topicId: string; number: number }
  | { kind: 'gone-partition'; id: number }
  /** The largest timestamp of batches that were deleted or replaced. */
  | { kind: 'gone-timestamp'; id: number; maxTimestamp: number }
  /** The state of a producer after the batch that ends at `lastOffset`, base64; null for forgotten. */
  | { kind: 'producer'; id: number; producerId: string; lastOffset: number; state: string | null }
  /** Which transactions are open in front of an offset, so that nobody has to look for them before it. */
  | ({ kind: 'transactions'; id: number } & OpenTransactions)
  /** A commit, or with null that there is none any more, which counts against what was committed before `atMs`. */
  | { kind: 'commit'; group: string; topic: string; partition: number; atMs: number; commit: Commit | null }
  /** The end of the metadata log, which grows with each start of Kafka. */
  | { kind: 'metadata-end'; offset: number }
  | { kind: 'meta'; key: string; value: string | null }
  /** Values of others than the log (entry-store.ts), base64; null for forgotten. On one line, so that all come to last or none. */
  | { kind: 'entries'; changes: [key: string, value: string | null][] };

export type Commit = Omit<GroupOffset, 'topic' | 'partition'>;

/** The state that all entries make together. */
export class JournalState {
  lastPartitionId = 0;
  metadataEnd = -1;
  readonly partitions = new Map<number, { topicId: string; number: number }>();
  readonly goneTimestamps = new Map<number, number>();
  /**
   * By partition, then by producer id: what was written, oldest first. An entry is written before its batch, which may
   * then not come to last.
   */
  readonly producers = new Map<number, Map<string, ProducerEntry[]>>();
  /** By partition. */
  readonly transactions = new Map<number, OpenTransactions>();
  /** By group, then by partition and topic. */
  readonly commits = new Map<string, Map<string, CommitEntry>>();
  readonly meta = new Map<string, string>();
  readonly keptEntries = new Map<string, string>();

  apply(entry: JournalEntry): void {
    switch (entry.kind) {
      case 'partition':
        this.partitions.set(entry.id, { topicId: entry.topicId, number: entry.number });
        this.lastPartitionId = Math.max(this.lastPartitionId, entry.id);
        return;
      case 'gone-partition':
        this.lastPartitionId = Math.max(this.lastPartitionId, entry.id);
        this.partitions.delete(entry.id);
        this.goneTimestamps.delete(entry.id);
        this.producers.delete(entry.id);
        this.transactions.delete(entry.id);
        return;
      case 'gone-timestamp':
        this.goneTimestamps.set(entry.id, entry.maxTimestamp);
        return;
      case 'producer': {
        const { id, producerId, lastOffset, state } = entry;
        const ofPartition = this.producers.get(id) ?? new Map<string, ProducerEntry[]>();
        this.producers.set(id, ofPartition);
        if (state === null) {
          ofPartition.delete(producerId);
          return;
        }
        const states = ofPartition.get(producerId);
        if (states === undefined) ofPartition.set(producerId, [{ lastOffset, state }]);
        else states.push({ lastOffset, state });
        return;
      }
      case 'transactions':
        this.transactions.set(entry.id, { offset: entry.offset, open: entry.open });
        return;
      case 'commit': {
        const ofGroup = this.commits.get(entry.group) ?? new Map();
        this.commits.set(entry.group, ofGroup);
        ofGroup.set(`${entry.partition}/${entry.topic}`, entry);
        return;
      }
      case 'metadata-end':
        this.metadataEnd = entry.offset;
        return;
      case 'meta':
        if (entry.value === null) this.meta.delete(entry.key);
        else this.meta.set(entry.key, entry.value);
        return;
      case 'entries':
        for (const [key, value] of entry.changes) {
          if (value === null) this.keptEntries.delete(key);
          else this.keptEntries.set(key, value);
        }
    }
  }

  /** Whether there is a commit of a group for a partition. */
  hasCommit({ group, topic, partition }: Pick<CommitEntry, 'group' | 'topic' | 'partition'>): boolean {
    const entry = this.commits.get(group)?.get(`${partition}/${topic}`);
    return entry !== undefined && entry.commit !== null;
  }

  /**
   * Leaves of each producer the newest entry whose batch lasts.
   *
   * @returns whether there were entries of batches that do not.
   */
  settleProducers(id: number, nextOffset: number): boolean {
    let isStale = false;
    const producers = this.producers.get(id);
    for (const [producerId, states] of producers ?? []) {
      if (states.length === 1 && states[0]!.lastOffset < nextOffset) continue;
      const newest = states.findLast(({ lastOffset }) => lastOffset < nextOffset);
      isStale ||= newest !== states.at(-1);
      if (newest === undefined) producers!.delete(producerId);
      else producers!.set(producerId, [newest]);
    }
    return isStale;
  }

  /** Forgets producers and members of groups. Returns whether there were any. */
  forgetClients(): boolean {
    const groups = [...this.meta.keys()].filter((key) => groupOfKey(key) !== undefined);
    const hasClients = this.producers.size > 0 || groups.length > 0;
    for (const key of groups) this.meta.delete(key);
    this.producers.clear();
    return hasClients;
  }

  /** In the order of their ids. */
  storedProducers(id: number): StoredProducer[] {
    const producers = [...(this.producers.get(id) ?? [])].map(([producerId, states]) => ({
      id: BigInt(producerId),
      state: new Uint8Array(Buffer.from(states.at(-1)!.state, 'base64')),
    }));
    return producers.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The members of groups. */
  groupMembers(): Map<string, Uint8Array> {
    const members = new Map<string, Uint8Array>();
    for (const [key, value] of this.meta) {
      const group = groupOfKey(key);
      if (group !== undefined) members.set(group, new Uint8Array(Buffer.from(value, 'base64')));
    }
    return members;
  }

  /** The fewest entries that make this state. */
  *entries(): Generator<JournalEntry> {
    yield { kind: 'gone-partition', id: this.lastPartitionId };
    yield { kind: 'metadata-end', offset: this.metadataEnd };
    for (const [id, partition] of this.partitions) yield { kind: 'partition', id, ...partition };
    for (const [id, maxTimestamp] of this.goneTimestamps) yield { kind: 'gone-timestamp', id, maxTimestamp };
    for (const [id, producers] of this.producers) {
      for (const [producerId, states] of producers) {
        for (const state of states) yield { kind: 'producer', id, producerId, ...state };
      }
    }
    for (const [id, noted] of this.transactions) yield { kind: 'transactions', id, ...noted };
    for (const commits of this.commits.values()) yield* commits.values();
    for (const [key, value] of this.meta) yield { kind: 'meta', key, value };
    if (this.keptEntries.size > 0) yield { kind: 'entries', changes: [...this.keptEntries] };
  }
}

interface ProducerEntry {
  lastOffset: number;
  state: string;
}

export type CommitEntry = Extract<JournalEntry, { kind: 'commit' }>;

/**
 * A file of our own beside the partitions, which Kafka leaves alone. Entries are appended; when it has grown much, it is
 * written anew.
 */
export class KafkaJournal {
  readonly state: JournalState;
  /** The file says more than the state, and must be written anew before anything is appended. */
  isStale = false;
  readonly #directory: string;
  #handle: FileHandle | undefined;
  #sizeBytes: number;
  /** Its size when it last held nothing but entries that count. */
  #leanBytes: number;

  private constructor(directory: string, state: JournalState, sizeBytes: number) {
    this.#directory = directory;
    this.state = state;
    this.#sizeBytes = sizeBytes;
    this.#leanBytes = sizeBytes;
  }

  /**
   * Reads the journal of a directory, until what a crash left of a last write. Nothing is written.
   *
   * @throws StoreError `corrupt` where a line is not what was written: without what it said, and what the lines behind it say,
   *   a topic would have an older state, and somebody might do what a rule forbids.
   */
  static open(directory: string): KafkaJournal {
    const state = new JournalState();
    const file = join(directory, JOURNAL);
    let text: Buffer;
    try {
      text = readFileSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      text = Buffer.alloc(0);
    }
    let at = 0;
    let lines = 0;
    for (;;) {
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      const entry = parseLine(text.subarray(at, end));
      if (entry === undefined) break;
      state.apply(entry);
      at = end + 1;
      lines++;
    }
    if (!isTornWrite(text, at)) {
      throw new StoreError(
        'corrupt',
        `${file} is damaged in line ${lines + 1}, at byte ${at}; restore it from a backup, or take that line out to go on without what it says`,
      );
    }
    return new KafkaJournal(directory, state, at);
  }

  /** Applies entries after they were written, and synced. */
  async append(entries: JournalEntry[], sync: Sync): Promise<void> {
    if (entries.length === 0) return;
    const bytes = Buffer.from(entries.map(lineOf).join(''));
    this.#handle ??= await this.#open();
    for (let done = 0; done < bytes.length; ) {
      const position = this.#sizeBytes + done;
      done += (await this.#handle.write(bytes, done, bytes.length - done, position)).bytesWritten;
    }
    await sync(this.#handle);
    this.#sizeBytes += bytes.length;
    for (const entry of entries) this.state.apply(entry);
    if (this.#sizeBytes > this.#leanBytes * 4 + kafkaJournalBytes) await this.rewrite();
  }

  /** Writes the whole file anew, with what counts. */
  async rewrite(): Promise<void> {
    await this.close();
    const bytes = Buffer.from([...this.state.entries()].map(lineOf).join(''));
    await writeAtomically(join(this.#directory, JOURNAL), bytes);
    this.#sizeBytes = this.#leanBytes = bytes.length;
    this.isStale = false;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    const file = join(this.#directory, JOURNAL);
    try {
      const handle = await open(file, 'r+');
      // A line that a crash cut must not come before the next one.
      await handle.truncate(this.#sizeBytes);
      return handle;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const handle = await open(file, 'w', 0o600);
      syncDirectory(this.#directory);
      return handle;
    }
  }
}

/**
 * Whether all from a place on is what a crash may have left of a last write: a line that breaks off, or blocks that the disk
 * never got and which are zeros. What else is no whole line was changed on the disk.
 */
function isTornWrite(text: Buffer, at: number): boolean {
  const rest = text.subarray(at);
  if (hasLostBlock(text, at)) return true;
  // A line whose end alone is another byte was written to its end.
  return !rest.includes('\n') && (rest.length === 0 || parseLine(rest.subarray(0, -1)) === undefined);
}

/** Whether there are zeros from a place on that reach to the end of a block or of the file: no line has any. */
function hasLostBlock(text: Buffer, at: number): boolean {
  for (let zero = text.indexOf(0, at); zero >= 0; zero = text.indexOf(0, zero)) {
    while (zero < text.length && text[zero] === 0) zero++;
    if (zero === text.length || zero % DISK_BLOCK_BYTES === 0) return true;
  }
  return false;
}

/** Disks write no less at once. */
const DISK_BLOCK_BYTES = 512;

function lineOf(entry: JournalEntry): string {
  const json = JSON.stringify(entry);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function parseLine(line: Buffer): JournalEntry | undefined {
  const json = line.subarray(9);
  if (line.length < 10 || Number.parseInt(line.toString('latin1', 0, 8), 16) !== crc32(json))
    return undefined;
  return JSON.parse(json.toString()) as JournalEntry;
}
