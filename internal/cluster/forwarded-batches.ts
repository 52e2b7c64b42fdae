import {
  isCount,
  isFlag,
  isInteger,
  isText,
  jsonAs,
  listOf,
  objectOf,
  oneOf,
  optional,
  within,
} from '../lib/shape.ts';
import type { NumberedBatch, NumberRun } from '../log/numbered-senders.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import type { ProducerBatch, SequenceErrorCode } from '../log/producer-states.ts';
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

const REFUSAL_CODES: Readonly<Record<StoreErrorCode | SequenceErrorCode, true>> = {
  ...{ invalid: true, exists: true, 'not-found': true, conflict: true, unavailable: true, corrupt: true },
  ...{ locked: true, unsupported: true, 'not-leader': true, 'batch-too-large': true },
  ...{ 'out-of-order': true, 'stale-epoch': true },
};

/** Why something was refused. */
export type Refusal = Exclude<ForwardedOutcome, { offset: number }>;

export const isRefusal = objectOf<Refusal>({
  code: oneOf(new Set(Object.keys(REFUSAL_CODES) as (keyof typeof REFUSAL_CODES)[])),
  message: isText,
});
const isOffset = objectOf<{ readonly offset: number }>({ offset: isCount });

export const areOutcomes = listOf((value): value is ForwardedOutcome => isOffset(value) || isRefusal(value));

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

const isHead = objectOf<Head>({
  ...{ partition: isCount, byteLength: isCount, count: within(1, 2 ** 31 - 1), maxTimestamp: isInteger },
  ...{ isPublished: isFlag, baseOffset: optional(isCount) },
  producer: optional(
    objectOf<ProducerBatch>({
      id: isCount,
      epoch: within(0, 2 ** 15 - 1),
      firstSequence: within(0, 2 ** 31 - 1),
    }),
  ),
  numbered: optional(
    objectOf<NonNullable<Head['numbered']>>({
      id: (value): value is string => isText(value) && /^-\d{1,19}$/.test(value),
      runs: listOf(objectOf<NumberRun>({ first: isCount, count: within(1, 2 ** 31 - 1) })),
      after: optional(isCount),
    }),
  ),
});
/** Each record of a batch has a number, or none has. */
const areHeads = listOf(
  (value): value is Head =>
    isHead(value) && (value.numbered === undefined || numbersOf(value.numbered) === value.count),
);

function numbersOf({ runs }: Pick<NumberedBatch, 'runs'>): number {
  return runs.reduce((sum, { count }) => sum + count, 0);
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

/** The batches with bytes of their own. @throws RangeError, SyntaxError, TypeError for what no node sent so. */
export function decodeBatches(packet: Uint8Array): ForwardedBatch[] {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  let at = LENGTH_BYTES + bytes.readUInt32BE(0);
  const heads = jsonAs(areHeads, bytes.subarray(LENGTH_BYTES, at), 'a list of forwarded batches');
  return heads.map(({ partition, byteLength, numbered, ...rest }) => {
    const own = Uint8Array.from(bytes.subarray(at, at + byteLength));
    if (own.length !== byteLength) throw new RangeError('a forwarded batch is cut off');
    at += byteLength;
    const batch: UnplacedBatch = { ...rest, bytes: own };
    if (numbered === undefined) return { partition, batch };
    return { partition, batch: { ...batch, numbered: { ...numbered, id: BigInt(numbered.id) } } };
  });
}
