import { countOf, isCount, isInteger, within } from '../lib/shape.ts';
import { type Pack, packedBody } from './packed-batches.ts';
import type { ShardMessage } from './stream.ts';

/*
 * The messages of a shard. Their subjects have numbers in them and digests, never text of a client:
 *
 *     l.<partition>.<producer|->   a record batch, byte for byte, or several (packed-batches.ts)
 *     m                            a marker: who owns the shard from here on
 *     f.<partition>                a floor: where the partition begins, and what it was before something went
 *     d.<partition>                the partition was deleted with its topic
 *     g.<digest>.<digest>.<n>      what a group committed for a partition
 *     h.<digest>                   who is in a group
 *
 * The facts of each begin with the version of this format, the epoch of its writer and its number among those that this
 * writer wrote since its marker: both together are given once. A message with several batches has a version of its own, as whoever
 * knows only the first one would take it for one batch.
 */
const VERSION = 1;
const PACKED_VERSION = 2;

/** Who wrote a message: each pair is given once. */
export interface WriteId {
  readonly epoch: number;
  readonly number: number;
}

/** What is known without their bytes of a batch, or of several in one message, which are as one here. */
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
  /** How many batches the message has. */
  readonly batchCount: number;
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

export function batchMessage(id: WriteId, partition: number, pack: Pack): ShardMessage {
  const { batches, maxTimestamp: runningMaxTimestamp, bytesBefore, bytes } = pack;
  const { baseOffset } = batches[0]!;
  const { lastOffset, producer } = batches.at(-1)!;
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const maxTimestamp = batches.reduce((most, batch) => Math.max(most, batch.maxTimestamp), -1);
  const rest = [baseOffset, lastOffset, count, maxTimestamp, runningMaxTimestamp, bytesBefore, bytes];
  return {
    subject: `l.${partition}.${producer?.id ?? NO_PRODUCER}`,
    facts:
      batches.length === 1 ? factsText(id, rest) : factsText(id, [...rest, batches.length], PACKED_VERSION),
    // The last one says all that is kept of its producer.
    producer: producer && Buffer.from(producer.state).toString('base64'),
    body: packedBody(batches),
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

function factsText({ epoch, number }: WriteId, rest: readonly number[], version = VERSION): string {
  return [version, epoch, number, ...rest].join(',');
}

/** Whether no broker wrote it: what theirs say of themselves has a form. */
export function isForeign(message: Omit<ShardMessage, 'body'>): boolean {
  return isLater(message) ? false : ownFacts(message) === undefined;
}

/** @returns undefined for what no broker wrote. @throws Error for what one of a later version did, which must not be passed over. */
export function factsOf(message: Omit<ShardMessage, 'body'>): Facts | undefined {
  if (isLater(message))
    throw new Error(`a message on ${message.subject} is of another version: ${message.facts}`);
  return ownFacts(message);
}

function isLater({ facts }: Omit<ShardMessage, 'body'>): boolean {
  return NUMBERS.test(facts) && isLaterVersion(Number.parseInt(facts, 10));
}

function ownFacts({ subject, facts, producer }: Omit<ShardMessage, 'body'>): Facts | undefined {
  if (!NUMBERS.test(facts)) return undefined;
  const [version, epoch, number, ...rest] = facts.split(',').map(Number);
  if (!isEpoch(epoch) || !isCount(number) || !rest.every(isInteger)) return undefined;
  const [kind, ...words] = subject.split('.');
  const id = { epoch, number };
  if (version === PACKED_VERSION) return kind === 'l' ? batchFacts(id, words, rest, producer) : undefined;
  if (version !== VERSION) return undefined;
  switch (kind) {
    case 'l':
      return batchFacts(id, words, [...rest.slice(0, 7), 1], producer);
    case 'm':
      return rest[0] === NOBODY || isNode(rest[0]) ? { ...id, kind: 'marker', node: rest[0] } : undefined;
    case 'f':
      return floorFacts(id, words, rest);
    case 'd': {
      const partition = countOf(words[0] ?? '');
      return partition === undefined ? undefined : { ...id, kind: 'deleted', partition };
    }
    default:
      return GROUP_SUBJECT.test(subject) ? { ...id, kind: 'group' } : undefined;
  }
}

function batchFacts(
  id: WriteId,
  [first = '', sender = '']: readonly string[],
  rest: readonly number[],
  state: string | undefined,
): Facts | undefined {
  const partition = countOf(first);
  const [
    baseOffset,
    lastOffset,
    count,
    maxTimestamp,
    runningMaxTimestamp,
    bytesBefore,
    byteLength,
    batchCount,
  ] = rest as [number, number, number, number, number, number, number, number];
  const isOfForm =
    rest.length === 8 &&
    partition !== undefined &&
    [baseOffset, count, bytesBefore].every(isCount) &&
    lastOffset >= baseOffset &&
    runningMaxTimestamp >= maxTimestamp &&
    byteLength > 0 &&
    batchCount > 0 &&
    PRODUCER.test(sender) &&
    (state === undefined || (sender !== NO_PRODUCER && BASE64.test(state)));
  if (!isOfForm) return undefined;
  return {
    ...id,
    ...{ kind: 'batch', partition, baseOffset, lastOffset, count, maxTimestamp, runningMaxTimestamp },
    ...{ bytesBefore, byteLength, batchCount },
    producer: state === undefined ? undefined : { id: BigInt(sender), state },
  };
}

function floorFacts(
  id: WriteId,
  [first = '']: readonly string[],
  rest: readonly number[],
): Facts | undefined {
  const partition = countOf(first);
  const [firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver] = rest as [
    number,
    number,
    number,
    number,
    number,
  ];
  const isOfForm =
    rest.length >= 5 &&
    isCount(firstOffset) &&
    nextOffset >= firstOffset &&
    isCount(bytesBefore) &&
    bytesEver >= bytesBefore;
  if (partition === undefined || !isOfForm) return undefined;
  return { ...id, kind: 'floor', partition, firstOffset, nextOffset, maxTimestamp, bytesBefore, bytesEver };
}

const NO_PRODUCER = '-';
const NUMBERS = /^-?\d+(,-?\d+)*$/;
const PRODUCER = /^(-|-?\d{1,19})$/;
const BASE64 = /^[A-Za-z0-9+/]+=*$/;
const GROUP_SUBJECT = /^(g\.[\w-]+\.[\w-]+\.\d+|h\.[\w-]+)$/;
/** Nobody will count further. */
const isLaterVersion = within(PACKED_VERSION + 1, 255);
/** Kafka's clients have 31 bits for the epoch of a leader. */
const isEpoch = within(0, 2 ** 31 - 1);

/** Whether it is the number of a node. */
export function isNode(value: unknown): value is number {
  return isCount(value) && value !== NOBODY;
}
