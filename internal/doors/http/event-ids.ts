import { BrokerError } from '../../errors.ts';
import { httpEventIdBytes } from '../../limits/http.ts';
import type { Reading } from '../../live/replay.ts';
import type { ReadFrom } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { PartitionLog } from '../../log/partition-log.ts';

/**
 * The ids of the events of one stream. An id names for each partition that is followed the offset to go on at, because a
 * browser sends the last id back and nothing else: `TOPICID.PARTITION:OFFSET`, joined by commas, with `@SINCE` where older
 * messages are left out. Deleting a topic and creating it again gives it another id, and it is then read as a new one.
 */
export class EventIds {
  readonly #next = new Map<Reading, string>();
  #bytes = 0;

  /** Says where a partition begins. */
  reads(reading: Reading): void {
    const { offset } = reading.from;
    this.#set(reading, Math.max(offset, reading.partition.firstOffset));
  }

  /** The id of the event of a message; undefined where there are too many logs for an id. */
  idOf(reading: Reading, offset: number): string | undefined {
    this.#set(reading, offset + 1);
    return this.#bytes > httpEventIdBytes ? undefined : [...this.#next.values()].join(',');
  }

  #set(reading: Reading, next: number): void {
    const { topic, partition, from } = reading;
    const since = Number.isFinite(from.sinceMs) ? `@${from.sinceMs}` : '';
    const text = `${topic.topicId}.${partition.number}:${next}${since}`;
    this.#bytes += text.length + 1 - (this.#next.has(reading) ? this.#next.get(reading)!.length + 1 : 0);
    this.#next.set(reading, text);
  }
}

/**
 * Where a stream goes on, by the last id that its client had. Topics that are gone are left out.
 *
 * @throws BrokerError `malformed-http-request`.
 */
export function positionsOf(lastEventId: string, logs: Logs): ReadonlyMap<PartitionLog, ReadFrom> {
  const positions = new Map<PartitionLog, ReadFrom>();
  for (const part of lastEventId.split(',')) {
    const found = /^([\w-]{22})\.(\d{1,9}):(\d{1,15})(?:@(\d{1,15}))?$/.exec(part);
    if (found === null)
      throw new BrokerError('malformed-http-request', 'Last-Event-ID is none of this broker');
    const [, topicId, number, offset, sinceMs] = found;
    const partition = logs.topicById(topicId)?.partitions[Number(number)];
    if (partition === undefined) continue;
    positions.set(partition, {
      offset: Number(offset),
      sinceMs: sinceMs === undefined ? Number.NEGATIVE_INFINITY : Number(sinceMs),
    });
  }
  return positions;
}
