import type { NewBatch } from '../store/log-store.ts';
import type { ShardMessage } from './stream.ts';

/*
 * The messages of a shard. Their subjects have numbers in them and digests, never text of a client:
 *
 *     l.<partition>.<producer|->   a record batch, byte for byte
 *     m                            a marker: who owns the shard from here on
 *     f.<partition>                a floor: where the partition begins, and what it was before something went
 *     d.<partition>                the partition was deleted with its topic
 *     g.<digest>.<digest>.<n>      what a group committed for a partition
 *     h.<digest>                   who is in a group
 *
 * The facts of each begin with the version of this format, the epoch of its writer and its number among those that this
 * writer wrote since its marker: both together are given once.
 */
const VERSION = 1;

/** Who wrote a message: each pair is given once. */
export interface WriteId {
  readonly epoch: number;
  readonly number: number;
}

/** What is known of a batch without its bytes. */
export interface BatchFacts {
  readonly partition: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly count: number;
  readonly maxTimestamp: number;
  /** The largest timestamp of the partition up to here. */
  readonly runningMaxTimestamp: number;
  /** Bytes of all batches before it, also of those that are gone. */
  readonly bytesBefore: number;
  readonly byteLength: number;
  /** Undefined where no producer is kept with it. */
  readonly producer: { readonly id: bigint; readonly state: string } | undefined;
}

export interface FloorFacts {
  readonly partition: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  /** Bytes of all batches before the first one that stays. */
  readonly bytesBefore: number;
  /** Bytes of all batches that there ever were. */
  readonly bytesEver: number;
}

export type Facts = WriteId &
  (
    | ({ readonly kind: 'batch' } & BatchFacts)
    | { readonly kind: 'marker'; readonly node: number }
    | ({ readonly kind: 'floor' } & FloorFacts)
    | { readonly kind: 'deleted'; readonly partition: number }
    | { readonly kind: 'group' }
  );

/** In the place of a node where nobody owns the shard. */
export const NOBODY = 0;

const NO_BODY = new Uint8Array(0);

export function batchMessage(
  id: WriteId,
  partition: number,
  batch: NewBatch,
  runningMaxTimestamp: number,
  bytesBefore: number,
): ShardMessage {
  const { baseOffset, lastOffset, count, maxTimestamp, bytes, producer } = batch;
  const rest = [baseOffset, lastOffset, count, maxTimestamp, runningMaxTimestamp, bytesBefore, bytes.length];
  return {
    subject: `l.${partition}.${producer?.id ?? '-'}`,
    facts: factsText(id, rest),
    producer: producer && Buffer.from(producer.state).toString('base64'),
    body: bytes,
  };
}

export function markerMessage(id: WriteId, node: number): ShardMessage {
  return { subject: 'm', facts: factsText(id, [node]), body: NO_BODY, isRollup: true };
}

export function floorMessage(id: WriteId, floor: FloorFacts): ShardMessage {
  const { partition, firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver } = floor;
  const rest = [firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver];
  return { subject: `f.${partition}`, facts: factsText(id, rest), body: NO_BODY, isRollup: true };
}

export function deletedMessage(id: WriteId, partition: number): ShardMessage {
  return { subject: `d.${partition}`, facts: factsText(id, []), body: NO_BODY, isRollup: true };
}

/** @param body empty for what is forgotten. */
export function groupMessage(id: WriteId, subject: string, body: Uint8Array): ShardMessage {
  return { subject, facts: factsText(id, []), body, isRollup: true };
}

function factsText({ epoch, number }: WriteId, rest: readonly number[]): string {
  return [VERSION, epoch, number, ...rest].join(',');
}

/** Whether no broker wrote it: each message of theirs says something of itself. */
export function isForeign({ facts }: Pick<ShardMessage, 'facts'>): boolean {
  return facts === '';
}

/** @throws Error for a message that is none of ours, or of a later version. */
export function factsOf({ subject, facts, producer }: Omit<ShardMessage, 'body'>): Facts {
  const [kind, first = '', second = ''] = subject.split('.');
  const [version, epoch, number, ...rest] = facts.split(',').map(Number);
  if (version !== VERSION || number === undefined || epoch === undefined) {
    throw new Error(`a message on ${subject} is of another version: ${facts}`);
  }
  const id = { epoch, number };
  const partition = Number(first);
  switch (kind) {
    case 'l':
      return { ...id, kind: 'batch', ...batchFacts(partition, rest, second, producer) };
    case 'm':
      return { ...id, kind: 'marker', node: rest[0]! };
    case 'f':
      return { ...id, kind: 'floor', ...floorFacts(partition, rest) };
    case 'd':
      return { ...id, kind: 'deleted', partition };
    default:
      return { ...id, kind: 'group' };
  }
}

function batchFacts(
  partition: number,
  rest: readonly number[],
  producerId: string,
  state: string | undefined,
): BatchFacts {
  const [baseOffset, lastOffset, count, maxTimestamp, runningMaxTimestamp, bytesBefore, byteLength] =
    rest as [number, number, number, number, number, number, number];
  return {
    ...{
      partition,
      baseOffset,
      lastOffset,
      count,
      maxTimestamp,
      runningMaxTimestamp,
      bytesBefore,
      byteLength,
    },
    producer: state === undefined ? undefined : { id: BigInt(producerId), state },
  };
}

function floorFacts(partition: number, rest: readonly number[]): FloorFacts {
  const [firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver] = rest as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { partition, firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver };
}
