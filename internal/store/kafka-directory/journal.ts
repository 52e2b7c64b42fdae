import { existsSync, readFileSync } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { kafkaJournalBytes } from '../../limits/store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import type { FileWrite } from './file-write.ts';
import { writeAtomically } from './files.ts';
import { type JournalEntry, JournalState } from './journal-state.ts';

export const JOURNAL = 'tinymq.journal';

/**
 * A file of our own beside the partitions, which Kafka leaves alone. Entries are appended; when it has grown much, it is
 * written anew.
 */
export class KafkaJournal {
  readonly state: JournalState;
  readonly path: string;
  /** The file says more than the state, and must be written anew before anything is appended. */
  isStale = false;
  readonly #directory: string;
  #isPrepared = false;
  #sizeBytes: number;
  /** Its size when it last held nothing but entries that count. */
  #leanBytes: number;

  private constructor(directory: string, state: JournalState, sizeBytes: number) {
    this.#directory = directory;
    this.path = join(directory, JOURNAL);
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

  /** What is to be written so that entries last; {@link commit} follows when it does. */
  async prepare(entries: readonly JournalEntry[]): Promise<FileWrite> {
    if (!this.#isPrepared) await this.#prepareFile();
    const bytes = Buffer.from(entries.map(lineOf).join(''));
    return { path: this.path, position: this.#sizeBytes, buffers: [bytes], byteLength: bytes.length };
  }

  /** Takes up entries that last. */
  commit(entries: readonly JournalEntry[], { byteLength }: FileWrite): void {
    this.#sizeBytes += byteLength;
    for (const entry of entries) this.state.apply(entry);
  }

  /** Whether much of the file no longer counts. */
  get isLong(): boolean {
    return this.#sizeBytes > this.#leanBytes * 4 + kafkaJournalBytes;
  }

  /** Writes the whole file anew, with what counts. Nobody may have it open. */
  async rewrite(): Promise<void> {
    const bytes = Buffer.from([...this.state.entries()].map(lineOf).join(''));
    await writeAtomically(this.path, bytes);
    this.#sizeBytes = this.#leanBytes = bytes.length;
    this.#isPrepared = true;
    this.isStale = false;
  }

  async #prepareFile(): Promise<void> {
    if (existsSync(this.path)) {
      // A line that a crash cut must not come before the next one.
      await truncate(this.path, this.#sizeBytes);
    } else {
      await (await open(this.path, 'w', 0o600)).close();
      syncDirectory(this.#directory);
    }
    this.#isPrepared = true;
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
