import type { NumberedBatch } from '../log/numbered-senders.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import type { SequenceErrorCode } from '../log/producer-states.ts';
import type { StoreErrorCode } from '../store/store-error.ts';

/** A batch for a partition that another node leads. */
export interface ForwardedBatch {
  readonly partition: number;
  readonly batch: UnplacedBatch;
}

/** What became of one: its base offset, or why it was refused. */
export type ForwardedOutcome =
  | { readonly offset: number }
  | { readonly code: StoreErrorCode | SequenceErrorCode; readonly message: string };

/** What lies before the bytes of the batches, as JSON. */
interface Head {
  readonly partition: number;
  readonly byteLength: number;
  readonly count: number;
  readonly maxTimestamp: number;
  readonly isPublished: boolean;
  readonly baseOffset?: number | undefined;
  readonly producer?: UnplacedBatch['producer'];
  readonly numbered?: Omit<NumberedBatch, 'id'> & { readonly id: string };
}

const LENGTH_BYTES = 4;

/** The length of the head, the head, and the batches byte for byte. */
export function encodeBatches(batches: readonly ForwardedBatch[]): Uint8Array {
  const head = Buffer.from(JSON.stringify(batches.map(headOf)));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...batches.map(({ batch }) => batch.bytes)]);
}

function headOf({ partition, batch }: ForwardedBatch): Head {
  const { bytes, count, maxTimestamp, isPublished = false, baseOffset, producer, numbered } = batch;
  return {
    ...{ partition, byteLength: bytes.length, count, maxTimestamp, isPublished, baseOffset, producer },
    ...(numbered && { numbered: { ...numbered, id: String(numbered.id) } }),
  };
}

/** The batches with bytes of their own. @throws RangeError, SyntaxError, TypeError for what no node sent whole. */
export function decodeBatches(packet: Uint8Array): ForwardedBatch[] {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  let at = LENGTH_BYTES + bytes.readUInt32BE(0);
  const heads = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, at)) as Head[];
  return heads.map(({ partition, byteLength, numbered, ...rest }) => {
    const { count, maxTimestamp } = rest;
    if (![partition, byteLength, count, maxTimestamp].every(Number.isSafeInteger) || count < 1)
      throw new RangeError('a forwarded batch does not say what it is');
    const own = Uint8Array.from(bytes.subarray(at, at + byteLength));
    if (own.length !== byteLength) throw new RangeError('a forwarded batch is cut off');
    at += byteLength;
    const batch: UnplacedBatch = { ...rest, bytes: own };
    if (numbered === undefined) return { partition, batch };
    return { partition, batch: { ...batch, numbered: { ...numbered, id: BigInt(numbered.id) } } };
  });
}
