import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { committedOffsets } from '../../../internal/clients/kafka/groups.ts';
import {
  keyOf,
  type OffsetRange,
  offsetRanges,
  type TopicPartition,
} from '../../../internal/clients/kafka/offsets.ts';
import { quoted } from '../../../internal/errors.ts';
import { UsageError } from '../../cli/options/program.ts';
import { durationOf, instantOf } from '../times.ts';

/** Where reading begins. */
export type Start =
  | { kind: 'beginning' | 'end' | 'stored' }
  | { kind: 'offset'; offset: number }
  | { kind: 'last'; count: number }
  /** In milliseconds since 1970. */
  | { kind: 'time'; timestamp: number };

/**
 * Reads what stands behind -from.
 *
 * @param nowMs in milliseconds since 1970.
 * @throws UsageError
 */
export function startOf(text: string, nowMs: number): Start {
  if (text === 'beginning' || text === 'earliest') return { kind: 'beginning' };
  if (text === 'end' || text === 'latest') return { kind: 'end' };
  if (text === 'stored') return { kind: 'stored' };
  if (/^\d{1,15}$/.test(text)) return { kind: 'offset', offset: Number(text) };
  if (/^-\d{1,15}$/.test(text)) return { kind: 'last', count: -Number(text) };
  const milliseconds = /^s?@(\d{1,15})$/.exec(text);
  if (milliseconds !== null) return { kind: 'time', timestamp: Number(milliseconds[1]) };
  const ago = text.startsWith('-') ? durationOf(text.slice(1)) : undefined;
  const timestamp = ago === undefined ? instantOf(text) : nowMs - ago;
  if (timestamp !== undefined) return { kind: 'time', timestamp };
  throw new UsageError(
    `-from ${quoted(text)} is not one of beginning, end, stored, an offset, -N, @MS, an ISO time and a time ago such as -1h`,
  );
}

/**
 * The offset to begin with in each partition: where nothing is stored the first one, where no message is as late as
 * the time the end.
 *
 * @param groupId what is stored for this group goes before everything else.
 * @throws KafkaRefusal
 */
export async function positionsOf(
  client: KafkaClient,
  start: Start,
  partitions: readonly TopicPartition[],
  groupId: string | undefined,
): Promise<Map<number, number>> {
  const timestamp = start.kind === 'time' ? start.timestamp : undefined;
  const ranges = await offsetRanges(client, partitions, timestamp);
  const stored = groupId === undefined ? [] : await committedOffsets(client, groupId);
  const storedAt = new Map(stored.map((offset) => [keyOf(offset), offset.offset]));
  return new Map(
    partitions.map((partition) => [
      partition.partition,
      storedAt.get(keyOf(partition)) ?? startIn(partition),
    ]),
  );

  function startIn(partition: TopicPartition): number {
    const { first, end, atTime } = ranges.get(keyOf(partition)) ?? NOTHING_THERE;
    switch (start.kind) {
      case 'beginning':
      case 'stored':
        return first;
      case 'end':
        return end;
      case 'offset':
        return start.offset;
      case 'last':
        return Math.max(first, end - start.count);
      case 'time':
        return atTime;
    }
  }
}

const NOTHING_THERE: OffsetRange = { first: 0, end: 0, atTime: 0 };
