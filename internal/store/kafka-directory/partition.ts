import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchHeader } from '../../batch/record-batch.ts';
import type { LentMemory } from '../../lib/lent-memory.ts';
import type { BatchSpan, StoredBatch } from '../log-store.ts';
import { CorruptBatchError } from '../store-error.ts';
import { TransactionIndex } from '../transactions.ts';
import type { FileHandles } from './file-handles.ts';
import {
  type EpochStart,
  INDEX_SUFFIXES,
  LEADER_EPOCH_FILE,
  namesIn,
  readEpochs,
  segmentBase,
  segmentName,
  TRANSACTION_INDEX_SUFFIX,
} from './files.ts';
import { Gate } from './gate.ts';
import { KafkaSegment } from './segment.ts';
import { type Found, SegmentReader } from './segment-reader.ts';
import { type KnownTransactions, readTransactions } from './transactions.ts';
import { run, runAtOnce, walkHeaders } from './walk.ts';

/** One partition of a Kafka log directory: its folder of segments, as far as it lasts and may be read. */
export class KafkaPartition {
  readonly id: number;
  readonly folder: string;
  /** What stands in a new folder, so that Kafka knows whose it is; undefined for the metadata log. */
  readonly topicId: string | undefined;
  /** In the order of their offsets. Never empty after {@link open}: the last one is appended to. */
  segments: KafkaSegment[] = [];
  firstOffset = 0;
  nextOffset = 0;
  epochs: EpochStart[] = [];
  /** The largest timestamp of batches that are gone, -1 for none. */
  goneMaxTimestamp = -1;
  /** The end of the last whole batch of the last segment, if something lies behind it that does not count. */
  tornAt: number | undefined;
  /** Empty for a log that has none, such as the metadata log. */
  transactions = new TransactionIndex();
  /** Batches of idempotent producers that the journal says nothing of. */
  unnotedBatches = 0;
  /** Nobody reads while files take each other's place. */
  readonly gate = new Gate();
  readonly #handles: FileHandles;
  /** Bytes of the first segment that lie before the first offset. */
  #deadBytes = 0;

  constructor(id: number, folder: string, handles: FileHandles, topicId?: string) {
    this.id = id;
    this.folder = folder;
    this.topicId = topicId;
    this.#handles = handles;
  }

  /**
   * Looks at the folder: the names, the time indexes' ends, and the last segment from its last index entry on.
   *
   * @param firstOffset what the directory's checkpoint says, 0 if it says nothing.
   * @param known where there may be transactions.
   */
  open(firstOffset: number, known?: KnownTransactions): void {
    const names = namesIn(this.folder);
    const bases = finishRewrite(this.folder, names);
    this.segments = bases.map((base) => {
      const stem = join(this.folder, segmentName(base));
      return new KafkaSegment(stem, base, statSync(`${stem}.log`).size);
    });
    const last = this.segments.at(-1);
    this.firstOffset = Math.max(firstOffset, this.segments[0]?.baseOffset ?? 0);
    this.nextOffset = this.firstOffset;
    this.epochs = readEpochs(join(this.folder, LEADER_EPOCH_FILE));
    if (last === undefined) return;
    for (const segment of this.segments.slice(0, -1)) segment.peek();
    const end = last.openAtEnd();
    this.tornAt = end.state === 'complete' ? undefined : end.position;
    this.nextOffset = Math.max(this.firstOffset, last.baseOffset, end.nextOffset);
    this.#measureDeadBytes();
    if (known === undefined) return;
    this.transactions = readTransactions(this, known);
    this.transactions.forgetBefore(this.firstOffset);
  }

  get maxTimestamp(): number {
    return this.segments.reduce(
      (largest, { maxTimestamp }) => Math.max(largest, maxTimestamp),
      this.goneMaxTimestamp,
    );
  }

  /** Bytes of the batches from the first offset on. */
  get sizeBytes(): number {
    const first = this.segmentIndex(this.firstOffset);
    let sum = 0;
    for (let index = first; index < this.segments.length; index++) sum += this.segments[index]!.sizeBytes;
    return sum - this.#deadBytes;
  }

  /** Whole batches from the one with `fromOffset` on. @throws CorruptBatchError */
  read(fromOffset: number, maxBytes: number, memory?: LentMemory): Promise<StoredBatch[]> {
    return this.gate.pass(async () => {
      const into: Found = { batches: [], bytes: 0, maxBytes, memory, corrupt: undefined };
      const { segments, nextOffset } = this;
      const from = Math.max(fromOffset, this.firstOffset);
      if (from >= nextOffset) return [];
      for (let index = this.segmentIndex(from); index < segments.length; index++) {
        const endOffset = segments[index + 1]?.baseOffset ?? nextOffset;
        const reader = new SegmentReader(segments[index]!, this.#handles, endOffset);
        if (!(await reader.read(from, into))) break;
      }
      if (into.batches.length === 0 && into.corrupt !== undefined) {
        const { baseOffset, lastOffset } = into.corrupt;
        throw new CorruptBatchError(this.id, baseOffset, Math.max(lastOffset, from));
      }
      return into.batches;
    });
  }

  /** The first batch with a record at or after a time. */
  batchForTime(timestamp: number): Promise<BatchSpan | undefined> {
    return this.gate.pass(async () => {
      const { segments, firstOffset } = this;
      for (let at = this.segmentIndex(firstOffset); at < segments.length; at++) {
        const segment = segments[at]!;
        const index = await segment.index(this.#handles);
        if (index.maxTimestamp < timestamp) continue;
        const from = Math.max(firstOffset, index.offsetForTime(timestamp));
        const found = await this.#find(
          segment,
          from,
          (header) => header.lastOffset >= firstOffset && header.maxTimestamp >= timestamp,
        );
        if (found !== undefined) return found;
      }
      return undefined;
    });
  }

  /** The offset until which batches have to go so that at most `keepBytes` stay. */
  offsetForSize(keepBytes: number): Promise<number> {
    return this.gate.pass(async () => {
      const { segments, firstOffset } = this;
      const first = this.segmentIndex(firstOffset);
      let over = this.sizeBytes - keepBytes;
      if (over <= 0) return firstOffset;
      over += this.#deadBytes;
      for (let at = first; at < segments.length; at++) {
        const segment = segments[at]!;
        if (over < segment.sizeBytes) {
          const index = await segment.index(this.#handles);
          const endPosition = over;
          const found = await this.#find(
            segment,
            index.forPosition(Math.max(0, over - 1)).offset,
            (header, position) => position + (header.end - header.at) >= endPosition,
          );
          if (found !== undefined) return found.lastOffset + 1;
        }
        over -= segment.sizeBytes;
        if (over <= 0) return segments[at + 1]?.baseOffset ?? this.nextOffset;
      }
      return this.nextOffset;
    });
  }

  /** The index of the segment that an offset belongs to. */
  segmentIndex(offset: number): number {
    let index = this.segments.length - 1;
    while (index > 0 && this.segments[index]!.baseOffset > offset) index--;
    return Math.max(0, index);
  }

  /** Sets the first offset, and finds what of its segment lies before it. */
  async setFirstOffset(offset: number): Promise<void> {
    this.firstOffset = offset;
    this.transactions.forgetBefore(offset);
    const segment = this.segments[this.segmentIndex(offset)];
    this.#deadBytes = 0;
    if (segment === undefined || segment.baseOffset >= offset) return;
    const hint = (await segment.index(this.#handles)).forOffset(offset);
    const end = await this.#handles.use(segment.path, (handle) =>
      run(handle, this.#walkTo(segment, hint.position, offset)),
    );
    this.#deadBytes = end.position;
  }

  #measureDeadBytes(): void {
    const segment = this.segments[this.segmentIndex(this.firstOffset)];
    if (segment === undefined || segment.baseOffset >= this.firstOffset) return;
    const fd = openSync(segment.path, 'r');
    try {
      this.#deadBytes = runAtOnce(
        fd,
        this.#walkTo(segment, segment.indexAtOnce().forOffset(this.firstOffset).position, this.firstOffset),
      ).position;
    } finally {
      closeSync(fd);
    }
  }

  #walkTo(segment: KafkaSegment, from: number, offset: number) {
    return walkHeaders(from, segment.sizeBytes, segment.baseOffset, ({ lastOffset }) => lastOffset < offset);
  }

  /** The first batch from about an offset on that passes a test. */
  async #find(
    segment: KafkaSegment,
    fromOffset: number,
    test: (header: BatchHeader, position: number) => boolean,
  ): Promise<BatchSpan | undefined> {
    const index = await segment.index(this.#handles);
    let found: BatchSpan | undefined;
    const visit = (header: BatchHeader, position: number) => {
      if (!test(header, position)) return true;
      const { baseOffset, lastOffset, maxTimestamp } = header;
      found = { baseOffset, lastOffset, maxTimestamp };
      return false;
    };
    const { position } = index.forOffset(fromOffset);
    await this.#handles.use(segment.path, async (handle) => {
      let end = await run(handle, walkHeaders(position, segment.sizeBytes, segment.baseOffset, visit));
      // Damaged bytes are passed over if the index knows a place behind them.
      for (const hint of index.behind(end.position)) {
        if (end.state !== 'bad') break;
        end = await run(handle, walkHeaders(hint.position, segment.sizeBytes, end.nextOffset, visit));
      }
    });
    return found;
  }
}

/**
 * Brings a rewrite of segments to its end that a crash interrupted, as Kafka does: what was cleaned but not all swapped
 * is thrown away; a segment that was swapped takes the place of those that it holds.
 *
 * @returns the base offsets of the segments, in order.
 */
function finishRewrite(folder: string, names: string[]): number[] {
  const basesOf = (suffix: string) =>
    names.map((name) => segmentBase(name, suffix)).filter((base) => base !== undefined);
  for (const name of names) if (/^\d{20}\.\w+\.deleted$/.test(name)) rmSync(join(folder, name));
  const cleaned = REWRITTEN_SUFFIXES.flatMap((suffix) => basesOf(`${suffix}.cleaned`));
  const bases = new Set(basesOf('.log'));
  for (const base of cleaned) {
    for (const suffix of REWRITTEN_SUFFIXES) {
      rmSync(join(folder, `${segmentName(base)}${suffix}.cleaned`), { force: true });
    }
  }
  const swapped = basesOf('.log.swap').sort((a, b) => b - a);
  for (const base of swapped) {
    const stem = join(folder, segmentName(base));
    if (cleaned.some((other) => base >= other)) {
      for (const suffix of REWRITTEN_SUFFIXES) rmSync(`${stem}${suffix}.swap`, { force: true });
      continue;
    }
    const nextOffset = endOf(`${stem}.log.swap`, base);
    for (const old of bases) {
      if (old !== base && (old < base || old >= nextOffset)) continue;
      removeSegmentFiles(join(folder, segmentName(old)));
      bases.delete(old);
    }
    renameSync(`${stem}.log.swap`, `${stem}.log`);
    bases.add(base);
  }
  // Behind its segment, which is there: without one it was removed.
  for (const base of basesOf(`${TRANSACTION_INDEX_SUFFIX}.swap`)) {
    const file = join(folder, segmentName(base) + TRANSACTION_INDEX_SUFFIX);
    if (bases.has(base) && existsSync(`${file}.swap`)) renameSync(`${file}.swap`, file);
    else rmSync(`${file}.swap`, { force: true });
  }
  return [...bases].sort((a, b) => a - b);
}

/** The parts that a rewrite makes anew. */
const REWRITTEN_SUFFIXES = ['.log', TRANSACTION_INDEX_SUFFIX] as const;

function endOf(file: string, baseOffset: number): number {
  const fd = openSync(file, 'r');
  try {
    return runAtOnce(
      fd,
      walkHeaders(0, statSync(file).size, baseOffset, () => true),
    ).nextOffset;
  } finally {
    closeSync(fd);
  }
}

function removeSegmentFiles(stem: string): void {
  for (const suffix of ['.log', ...INDEX_SUFFIXES]) rmSync(stem + suffix, { force: true });
}
