import type { Channel } from '../../broker/delivery/channel.ts';
import { BrokerError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { logIdBytes } from '../../live/log-part.ts';
import type { Reading, ReplayedMessage } from '../../live/replay.ts';
import type { ReadFrom } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import { type Frame, FrameType } from '../../protocol/frame/frame.ts';
import { encodePosition, parsePosition, replayedPayload } from '../../protocol/frame/positions.ts';
import type { Place } from '../../protocol/frame/properties.ts';
import { encodeWith } from './encoding.ts';
import { propertiesToTell, type Told, withoutPlace } from './message-properties.ts';

export interface PositionFramesParts {
  /** Undefined where the broker keeps none. */
  logs: Logs | undefined;
  channel: Channel;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  /** What the client is told of messages. */
  told: Told;
  clock: Clock;
}

export type Positions = Map<PartitionLog, ReadFrom>;

/** Tells a client that agreed on `positions` where in the logs its replays are, and hears from it where to go on. */
export class PositionFrames {
  readonly #parts: PositionFramesParts;
  /** Readers of this connection so far. */
  #readers = 0;
  /** What the client said of the replay that it is about to ask for. */
  #noted: { filter: string; positions: Positions } | undefined;

  constructor(parts: PositionFramesParts) {
    this.#parts = parts;
  }

  /** Tells that a replay reads a partition; the number by which its messages name that. */
  announce(filter: string, { topic, partition, from }: Reading): number {
    const reader = ++this.#readers;
    const position = {
      reader,
      partition: partition.number,
      offset: Math.max(from.offset, partition.firstOffset),
      sinceMs: from.sinceMs,
      logId: logIdBytes(topic.topicId),
      log: topic.name,
    };
    this.#parts.channel.control(encodePosition(filter, position, this.#parts.clientId));
    return reader;
  }

  /** The messages of a reader as REPLAYED frames, one behind the other. */
  encode(messages: readonly ReplayedMessage[], reader: number): Uint8Array {
    const { clock } = this.#parts;
    const told = withoutPlace(this.#parts.told);
    const frames = messages.map((message) => {
      const { payload, offset, publishedAtMs } = message;
      const prefixed = replayedPayload(payload, { reader, offset, publishedAtMs });
      return encodeWith(FrameType.replayed, message, propertiesToTell(message, told, clock), prefixed);
    });
    return Buffer.concat(frames);
  }

  /**
   * Takes what a client has of a log already. Only logs that are there are remembered, and those of one filter, so that
   * a client cannot fill the memory.
   *
   * @throws BrokerError `unexpected-frame` where it is no position.
   */
  note({ topic: filter, payload }: Frame): void {
    const position = parsePosition(payload);
    if (position === undefined) {
      throw new BrokerError('unexpected-frame', `a POSITION of ${payload.length} bytes says nothing`);
    }
    const { offset, sinceMs } = position;
    if (this.#noted?.filter !== filter) this.#noted = { filter, positions: new Map() };
    const partition = partitionAt(this.#parts.logs, position);
    if (partition !== undefined) this.#noted.positions.set(partition, { offset, sinceMs });
  }

  /** What the client said of the replay that it asks for now. */
  takeNoted(filter: string): Positions | undefined {
    const noted = this.#noted;
    this.#noted = undefined;
    return noted?.filter === filter ? noted.positions : undefined;
  }
}

/** The partition that a client means; undefined where there is none, or its log is another one than the client knew. */
export function partitionAt(
  logs: Logs | undefined,
  { log, logId, partition }: Pick<Place, 'log' | 'logId' | 'partition'>,
): PartitionLog | undefined {
  const topic = logs?.topic(log);
  // Zeros stand for whichever has the name.
  const isMeant = logId.every((byte) => byte === 0) || logIdBytes(topic?.topicId ?? '').equals(logId);
  return isMeant ? topic?.partitions[partition] : undefined;
}
