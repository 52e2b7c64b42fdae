import { existsSync, readFileSync } from 'node:fs';
import { transactionKind } from '../../batch/control-batch.ts';
import type { BatchHeader } from '../../batch/record-batch.ts';
import { firstIndex } from '../../lib/first-index.ts';
import { TransactionIndex } from '../transactions.ts';
import { TRANSACTION_INDEX_SUFFIX } from './files.ts';
import { offsetEntryBytes, timeEntryBytes } from './offset-index.ts';
import { readEntries } from './transactions.ts';

/** Where the batches of one segment lie, as its indexes have to say it. */
export class SegmentBatches {
  readonly #positions: number[] = [];
  readonly #bases: number[] = [];
  readonly #lasts: number[] = [];
  /** Whether compaction has taken records out of a batch: Kafka then notes the last one that is left. */
  readonly #areThinned: boolean[] = [];
  /** The largest timestamp up to each batch. */
  readonly #maxTimestamps: number[] = [];

  note({ baseOffset, lastOffset, recordCount, maxTimestamp }: BatchHeader, position: number): void {
    this.#positions.push(position);
    this.#bases.push(baseOffset);
    this.#lasts.push(lastOffset);
    this.#areThinned.push(recordCount !== lastOffset - baseOffset + 1);
    this.#maxTimestamps.push(Math.max(maxTimestamp, this.#maxTimestamps.at(-1) ?? -1));
  }

  /** Whether an `.index` says only what is so. Several batches that were written at once have one entry. */
  isOffsetIndexRight(bytes: Buffer, baseOffset: number): boolean {
    const entries = entriesOf(bytes, offsetEntryBytes, (at) => ({
      offset: baseOffset + bytes.readInt32BE(at),
      position: bytes.readInt32BE(at + 4),
    }));
    return (
      entries?.every(({ offset, position }, index) => {
        const first = firstIndex(this.#positions, (each) => each >= position);
        const batch = this.#batchOf(offset);
        const nextPosition = entries[index + 1]?.position ?? Number.POSITIVE_INFINITY;
        return (
          this.#positions[first] === position &&
          batch >= first &&
          this.#positions[batch]! < nextPosition &&
          (this.#lasts[batch] === offset || this.#areThinned[batch]!) &&
          offset > (entries[index - 1]?.offset ?? -1)
        );
      }) ?? false
    );
  }

  /** Whether a `.timeindex` says only what is so: that the largest timestamp so far is that of the batch with an offset. */
  isTimeIndexRight(bytes: Buffer, baseOffset: number): boolean {
    const entries = entriesOf(bytes, timeEntryBytes, (at) => ({
      timestamp: bytes.readBigInt64BE(at),
      offset: baseOffset + bytes.readInt32BE(at + 8),
    }));
    return (
      entries?.every(({ timestamp, offset }) => {
        const batch = this.#batchOf(offset);
        const before = this.#maxTimestamps[batch - 1] ?? -1;
        return BigInt(this.#maxTimestamps[batch] ?? -1) === timestamp && BigInt(before) < timestamp;
      }) ?? false
    );
  }

  /** The place among the batches of the one that has an offset; -1 where none has it. */
  #batchOf(offset: number): number {
    const found = firstIndex(this.#lasts, (last) => last >= offset);
    return found < this.#lasts.length && this.#bases[found]! <= offset ? found : -1;
  }
}

/** The entries of a file, behind which Kafka leaves zeros until it closes it; undefined where it does not consist of them. */
function entriesOf<T>(bytes: Buffer, entryBytes: number, read: (at: number) => T): T[] | undefined {
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const count = Math.ceil(end / entryBytes);
  // A file that was made ahead of time need not end with an entry.
  if (bytes.length < count * entryBytes || (end === bytes.length && end % entryBytes !== 0)) return undefined;
  return Array.from({ length: count }, (_, index) => read(index * entryBytes));
}

/** What the batches of a partition say of its transactions, one segment behind the other. */
export class PartitionTransactions {
  readonly #derived = new TransactionIndex();
  /** The producers whose transactions were aborted in the segment in hand, by the offsets of the marks. */
  #marks = new Map<number, number>();
  #firstOffset: number | undefined;
  #nextOffset = 0;
  /** Whether nothing is missing so far: what compaction took may be what an entry is about. */
  #isGapless = true;

  note(bytes: Uint8Array, header: BatchHeader): void {
    const { producerId, baseOffset, lastOffset, isTransactional } = header;
    this.#firstOffset ??= baseOffset;
    if (this.#firstOffset !== baseOffset && baseOffset !== this.#nextOffset) this.#isGapless = false;
    this.#nextOffset = lastOffset + 1;
    if (!isTransactional) return;
    const kind = header.isControl ? transactionKind(bytes, header) : 'records';
    if (kind === undefined) return;
    if (kind === 'abort') this.#marks.set(baseOffset, producerId);
    this.#derived.apply({ producerId, kind }, baseOffset);
  }

  /** Whether the `.txnindex` of the segment whose batches were noted last says only what is so. */
  isIndexRight(stem: string, baseOffset: number): boolean {
    const marks = this.#marks;
    this.#marks = new Map();
    const entries = readEntries(stem + TRANSACTION_INDEX_SUFFIX, baseOffset - 1);
    if (entries === undefined) return false;
    const derived = this.#derived.abortedEndingIn(baseOffset, this.#nextOffset);
    return entries.every((entry) => {
      const marked = marks.get(entry.lastOffset);
      if (marked === undefined) return !this.#isGapless;
      const own = derived.find(({ lastOffset }) => lastOffset === entry.lastOffset);
      return (
        marked === entry.producerId &&
        this.#isSo(entry.firstOffset, own?.firstOffset) &&
        this.#isSo(entry.lastStableOffset, own?.lastStableOffset)
      );
    });
  }

  /** What began before the first batch that is left cannot be seen any more. */
  #isSo(said: number, derived: number | undefined): boolean {
    return said === derived || !this.#isGapless || said < (this.#firstOffset ?? 0);
  }
}

/** The bytes of an index; undefined where there is no such file. */
export function indexBytes(file: string): Buffer | undefined {
  return existsSync(file) ? readFileSync(file) : undefined;
}
