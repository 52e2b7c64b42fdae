import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import type { CommittedOffset } from '../../../internal/clients/kafka/groups.ts';
import {
  keyOf,
  type OffsetRange,
  offsetRanges,
  type TopicPartition,
} from '../../../internal/clients/kafka/offsets.ts';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { durationOf, instantOf } from '../times.ts';
import type { groupsResetOffsetsProgram } from './flags.ts';

/** Where a group is to go on. */
export type Destination =
  | { kind: 'earliest' | 'latest' | 'current' }
  | { kind: 'offset'; offset: number }
  | { kind: 'shift'; by: number }
  /** In milliseconds since 1970. */
  | { kind: 'time'; timestamp: number };

type ResetValues = Values<(typeof groupsResetOffsetsProgram)['options']>;

/** @throws UsageError where the flags name none, several, or one that is wrong. */
export function destinationOf(values: ResetValues): Destination {
  const found: Destination[] = [];
  if (values['to-earliest']) found.push({ kind: 'earliest' });
  if (values['to-latest']) found.push({ kind: 'latest' });
  if (values['to-current']) found.push({ kind: 'current' });
  if (values['to-offset'] !== undefined) found.push({ kind: 'offset', offset: values['to-offset'] });
  if (values['shift-by'] !== undefined) found.push({ kind: 'shift', by: values['shift-by'] });
  const { 'to-datetime': time, 'by-duration': duration } = values;
  if (time !== undefined) found.push({ kind: 'time', timestamp: read('-to-datetime', time, instantOf) });
  if (duration !== undefined) {
    found.push({ kind: 'time', timestamp: Date.now() - read('-by-duration', duration, durationOf) });
  }
  if (found.length === 1) return found[0];
  throw new UsageError(
    'say where to by one of -to-earliest, -to-latest, -to-current, -to-offset, -shift-by, -to-datetime and -by-duration',
  );
}

function read(flag: string, text: string, parse: (text: string) => number | undefined): number {
  const value = parse(text);
  if (value !== undefined) return value;
  const example =
    flag === '-to-datetime' ? 'a time such as 2026-01-31T12:00:00' : 'a length of time such as 90m';
  throw new UsageError(`${flag} ${quoted(text)} is not ${example}`);
}

/**
 * The offset of a destination in each partition; never one that is not there.
 *
 * @throws KafkaRefusal; Failure where a group is to be shifted that is nowhere yet.
 */
export async function newOffsets(
  client: KafkaClient,
  destination: Destination,
  partitions: readonly TopicPartition[],
  committed: readonly CommittedOffset[],
): Promise<CommittedOffset[]> {
  const timestamp = destination.kind === 'time' ? destination.timestamp : undefined;
  const ranges = await offsetRanges(client, partitions, timestamp);
  const current = new Map(committed.map((offset) => [keyOf(offset), offset.offset]));
  return partitions.flatMap((partition) => {
    const range = ranges.get(keyOf(partition));
    if (range === undefined) return [];
    const offset = wantedOffset(partition, range);
    return [{ ...partition, offset: Math.min(Math.max(offset, range.first), range.end) }];
  });

  function wantedOffset(partition: TopicPartition, { first, end, atTime }: OffsetRange): number {
    const key = keyOf(partition);
    switch (destination.kind) {
      case 'earliest':
        return first;
      case 'latest':
        return end;
      case 'current':
        return current.get(key) ?? end;
      case 'offset':
        return destination.offset;
      case 'shift':
        return shifted(partition, current.get(key), destination.by);
      case 'time':
        return atTime;
    }
  }
}

function shifted({ topic, partition }: TopicPartition, current: number | undefined, by: number): number {
  if (current !== undefined) return current + by;
  throw new Failure(
    `the group has no offset in partition ${partition} of topic '${topic}' that could be shifted`,
  );
}
