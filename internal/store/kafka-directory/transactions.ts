import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordBatchError } from '../../batch/batch-error.ts';
import { MAX_CONTROL_BATCH_BYTES, transactionKind } from '../../batch/control-batch.ts';
import { crc32c } from '../../batch/crc32c.ts';
import { type BatchHeader, parseBatchHeader } from '../../batch/record-batch.ts';
import {
  type AbortedTransaction,
  type OpenTransaction,
  TransactionIndex,
  type TransactionStep,
} from '../transactions.ts';
import { namesIn, readAt, segmentBase, TRANSACTION_INDEX_SUFFIX, writeAtomically } from './files.ts';
import { type KafkaSegment, walkSegment } from './segment.ts';

/** Which transactions were open in front of an offset. */
export interface OpenTransactions {
  readonly offset: number;
  readonly open: readonly OpenTransaction[];
}

/** The transactions of a partition, as far as they are known without its batches. */
export interface KnownTransactions {
  /** Kafka's notes about offsets from here on may be incomplete: it did not end in good order. */
  readonly trustedUntil: number;
  /** The notes that we left when we had the directory last. */
  readonly noted: OpenTransactions | undefined;
}

/** The place of a partition's batches. */
interface Segments {
  readonly folder: string;
  readonly segments: readonly KafkaSegment[];
  readonly nextOffset: number;
}

/**
 * The transactions of a partition, from Kafka's own files: the aborted ones from the index of each segment, the open
 * ones from the newest snapshot of its producers, and both of what came later from the batches themselves. So all of
 * a log is walked over only where those files are missing or damaged.
 */
export function readTransactions(partition: Segments, known: KnownTransactions): TransactionIndex {
  const start = startOf(partition, known);
  const aborted = abortedBefore(partition.segments, start.offset);
  const isWhole = aborted !== undefined;
  const index = new TransactionIndex(isWhole ? { open: start.open, aborted } : undefined);
  for (const [at, segment] of partition.segments.entries()) {
    const end = partition.segments[at + 1]?.baseOffset ?? partition.nextOffset;
    if (isWhole && end <= start.offset) continue;
    walkTransactions(segment, isWhole ? start.offset : 0, (step, offset) => index.apply(step, offset));
  }
  return index;
}

/** Writes the aborted transactions that end in a segment beside it; where there are none there is no file. */
export async function writeTransactionIndex(
  stem: string,
  aborted: readonly AbortedTransaction[],
  suffix = '',
): Promise<void> {
  const file = stem + TRANSACTION_INDEX_SUFFIX + suffix;
  if (aborted.length === 0) await rm(file, { force: true });
  else await writeAtomically(file, encodeEntries(aborted));
}

/** Writes those of all segments that reach behind an offset. */
export async function saveTransactionIndexes(
  { segments, nextOffset, transactions }: Segments & { readonly transactions: TransactionIndex },
  fromOffset: number,
): Promise<void> {
  for (const [at, { stem, baseOffset }] of segments.entries()) {
    const end = segments[at + 1]?.baseOffset ?? nextOffset;
    if (end > fromOffset) await writeTransactionIndex(stem, transactions.abortedEndingIn(baseOffset, end));
  }
}

/** The last offset for which it is known what was open. */
function startOf(
  { folder, nextOffset }: Segments,
  { trustedUntil, noted }: KnownTransactions,
): OpenTransactions {
  // As after every clean end: nobody needs to look into the folder.
  if (noted?.offset === nextOffset) return noted;
  const snapshot = newestSnapshot(folder, Math.min(nextOffset, trustedUntil));
  const isNotedThere = noted !== undefined && noted.offset <= nextOffset;
  if (isNotedThere && noted.offset >= (snapshot?.offset ?? 0)) return noted;
  return snapshot ?? { offset: 0, open: [] };
}

/** The aborted transactions that end before an offset; undefined where an index is damaged. */
function abortedBefore(segments: readonly KafkaSegment[], offset: number): AbortedTransaction[] | undefined {
  const aborted: AbortedTransaction[] = [];
  for (const { stem, baseOffset } of segments) {
    if (baseOffset >= offset) break;
    const entries = readEntries(
      stem + TRANSACTION_INDEX_SUFFIX,
      aborted.at(-1)?.lastOffset ?? baseOffset - 1,
    );
    if (entries === undefined) return undefined;
    for (const entry of entries) if (entry.lastOffset < offset) aborted.push(entry);
  }
  return aborted;
}

/** Tells of the batches of transactions in one segment from an offset on. */
function walkTransactions(
  segment: KafkaSegment,
  fromOffset: number,
  visit: (step: TransactionStep, offset: number) => void,
): void {
  const fd = openSync(segment.path, 'r');
  try {
    for (const place of placesOf(fd, segment, fromOffset)) {
      const kind = place.sizeBytes === 0 ? 'records' : kindAt(fd, place.position, place.sizeBytes);
      if (kind !== undefined) visit({ producerId: place.producerId, kind }, place.offset);
    }
  } finally {
    closeSync(fd);
  }
}

interface Place {
  producerId: number;
  offset: number;
  position: number;
  /** 0 for records, of which nothing more is to be known. */
  sizeBytes: number;
}

function placesOf(fd: number, segment: KafkaSegment, fromOffset: number): Place[] {
  const places: Place[] = [];
  /** Producers whose records were seen since their last mark. */
  const open = new Set<number>();
  const visit = (header: BatchHeader, position: number) => {
    const { producerId, baseOffset, isControl } = header;
    if (!header.isTransactional || baseOffset < fromOffset || (!isControl && open.has(producerId)))
      return true;
    if (isControl) open.delete(producerId);
    else open.add(producerId);
    places.push({
      producerId,
      offset: baseOffset,
      position,
      sizeBytes: isControl ? header.end - header.at : 0,
    });
    return true;
  };
  walkSegment(fd, segment, fromOffset, visit);
  return places;
}

function kindAt(fd: number, position: number, sizeBytes: number) {
  if (sizeBytes > MAX_CONTROL_BATCH_BYTES) return undefined;
  const bytes = readAt(fd, new Uint8Array(sizeBytes), position);
  try {
    return transactionKind(bytes, parseBatchHeader(bytes, 0));
  } catch (error) {
    if (error instanceof RecordBatchError) return undefined;
    throw error;
  }
}

/*
 * An entry of a .txnindex file, big endian:
 *
 *     version (2)   producerId (8)   firstOffset (8)   lastOffset (8)   lastStableOffset (8)
 */
const ENTRY_BYTES = 34;
const ENTRY_VERSION = 0;

function encodeEntries(aborted: readonly AbortedTransaction[]): Buffer {
  const bytes = Buffer.alloc(aborted.length * ENTRY_BYTES);
  let at = 0;
  for (const { producerId, firstOffset, lastOffset, lastStableOffset } of aborted) {
    bytes.writeInt16BE(ENTRY_VERSION, at);
    for (const [index, value] of [producerId, firstOffset, lastOffset, lastStableOffset].entries()) {
      bytes.writeBigInt64BE(BigInt(value), at + 2 + index * 8);
    }
    at += ENTRY_BYTES;
  }
  return bytes;
}

/** Undefined where a file is there and is none; nothing where there is no file, as Kafka makes none without need. */
export function readEntries(file: string, afterOffset: number): AbortedTransaction[] | undefined {
  const bytes = readIfThere(file);
  if (bytes === undefined) return [];
  if (bytes.length % ENTRY_BYTES !== 0) return undefined;
  const entries: AbortedTransaction[] = [];
  let before = afterOffset;
  for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
    const [producerId, firstOffset, lastOffset, lastStableOffset] = [2, 10, 18, 26].map((field) =>
      Number(bytes.readBigInt64BE(at + field)),
    ) as [number, number, number, number];
    const isSound = firstOffset >= 0 && firstOffset <= lastOffset && lastOffset > before;
    if (bytes.readInt16BE(at) !== ENTRY_VERSION || !isSound) return undefined;
    entries.push({ producerId, firstOffset, lastOffset, lastStableOffset });
    before = lastOffset;
  }
  return entries;
}

/** The newest snapshot of producers that can be read, of an offset up to this one. */
function newestSnapshot(folder: string, untilOffset: number): OpenTransactions | undefined {
  const offsets = namesIn(folder)
    .map((name) => segmentBase(name, SNAPSHOT_SUFFIX))
    .filter((offset) => offset !== undefined && offset <= untilOffset) as number[];
  for (const offset of offsets.sort((a, b) => b - a)) {
    const bytes = readIfThere(join(folder, `${String(offset).padStart(20, '0')}${SNAPSHOT_SUFFIX}`));
    const open = bytes && openInSnapshot(bytes);
    if (open !== undefined) return { offset, open };
  }
  return undefined;
}

const SNAPSHOT_SUFFIX = '.snapshot';

/*
 * A .snapshot file, big endian: version (2), crc (4) of all that follows, number of producers (4), and of each
 *
 *     producerId (8)   epoch (2)   lastSequence (4)   lastOffset (8)   offsetDelta (4)   timestamp (8)
 *     coordinatorEpoch (4)   currentTxnFirstOffset (8, -1 for none)
 */
const SNAPSHOT_VERSION = 1;
const SNAPSHOT_CRC_END = 6;
const SNAPSHOT_HEADER_BYTES = 10;
const PRODUCER_BYTES = 46;
const TXN_FIRST_OFFSET_AT = 38;

function openInSnapshot(bytes: Buffer): OpenTransaction[] | undefined {
  if (bytes.length < SNAPSHOT_HEADER_BYTES || bytes.readInt16BE(0) !== SNAPSHOT_VERSION) return undefined;
  if (bytes.readUInt32BE(2) !== crc32c(bytes, SNAPSHOT_CRC_END, bytes.length)) return undefined;
  const count = bytes.readInt32BE(SNAPSHOT_CRC_END);
  if (bytes.length !== SNAPSHOT_HEADER_BYTES + count * PRODUCER_BYTES) return undefined;
  const open: OpenTransaction[] = [];
  for (let at = SNAPSHOT_HEADER_BYTES; at < bytes.length; at += PRODUCER_BYTES) {
    const firstOffset = Number(bytes.readBigInt64BE(at + TXN_FIRST_OFFSET_AT));
    if (firstOffset >= 0) open.push({ producerId: Number(bytes.readBigInt64BE(at)), firstOffset });
  }
  return open.sort((a, b) => a.firstOffset - b.firstOffset);
}

function readIfThere(file: string): Buffer | undefined {
  // Most segments have none, and an error takes ten times as long as a look.
  if (!existsSync(file)) return undefined;
  const fd = openSync(file, 'r');
  try {
    return Buffer.from(readAt(fd, new Uint8Array(fstatSync(fd).size), 0));
  } finally {
    closeSync(fd);
  }
}
