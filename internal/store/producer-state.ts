/** What is kept of an idempotent producer of one partition, and how that lies in bytes. */

/** A batch of such a producer. */
export interface KeptBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

export interface KeptProducer<Batch extends KeptBatch = KeptBatch> {
  epoch: number;
  /** In milliseconds since 1970. */
  lastSeenMs: number;
  /** The newest last; never empty. */
  batches: Batch[];
}

/** The batches that a producer may have in flight, as its clients are bound to (KIP-98, KIP-185). */
const REMEMBERED_BATCHES = 5;
const MAX_SEQUENCE = 2 ** 31 - 1;

/** The batches that are remembered of one epoch when another one has come. */
export function laterBatches<Batch extends KeptBatch>(before: readonly Batch[], batch: Batch): Batch[] {
  return [...before.slice(1 - REMEMBERED_BATCHES), batch];
}

/** The sequence so many behind another: 0 follows on 2^31 - 1. */
export function sequenceAfter(sequence: number, count: number): number {
  const sum = sequence + count;
  return sum > MAX_SEQUENCE ? sum - MAX_SEQUENCE - 1 : sum;
}

/*
 * A producer's state in bytes, big endian:
 *
 *     version (1)   epoch (2)   lastSeenMs (8)   [ firstSequence (4)   lastSequence (4)   baseOffset (8) ]...
 */
const STATE_VERSION = 1;
const STATE_HEADER_BYTES = 11;
const BATCH_BYTES = 16;

export function encodeProducer({ epoch, lastSeenMs, batches }: KeptProducer): Uint8Array {
  const bytes = Buffer.allocUnsafe(STATE_HEADER_BYTES + batches.length * BATCH_BYTES);
  bytes[0] = STATE_VERSION;
  bytes.writeInt16BE(epoch, 1);
  bytes.writeDoubleBE(lastSeenMs, 3);
  let at = STATE_HEADER_BYTES;
  for (const batch of batches) {
    bytes.writeInt32BE(batch.firstSequence, at);
    bytes.writeInt32BE(batch.lastSequence, at + 4);
    bytes.writeDoubleBE(batch.baseOffset, at + 8);
    at += BATCH_BYTES;
  }
  return bytes;
}

/** Undefined for what is none, or of another version. */
export function decodeProducer(state: Uint8Array): KeptProducer | undefined {
  const bytes = Buffer.from(state.buffer, state.byteOffset, state.byteLength);
  const batchBytes = bytes.length - STATE_HEADER_BYTES;
  if (bytes[0] !== STATE_VERSION || batchBytes <= 0 || batchBytes % BATCH_BYTES !== 0) return undefined;
  const batches: KeptBatch[] = [];
  for (let at = STATE_HEADER_BYTES; at < bytes.length; at += BATCH_BYTES) {
    batches.push({
      firstSequence: bytes.readInt32BE(at),
      lastSequence: bytes.readInt32BE(at + 4),
      baseOffset: bytes.readDoubleBE(at + 8),
    });
  }
  return { epoch: bytes.readInt16BE(1), lastSeenMs: bytes.readDoubleBE(3), batches };
}
