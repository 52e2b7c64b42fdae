import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import type { Channel } from '../../broker/delivery/channel.ts';
import { Publication } from '../../broker/delivery/publication.ts';
import { BrokerError, nameForLog, quoted } from '../../errors.ts';
import { maxReplaysPerClient } from '../../limits/doors.ts';
import { replayReadBytes } from '../../limits/live.ts';
import { type Reading, Replay, type ReplayTarget } from '../../live/replay.ts';
import { parseReplay } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { Counter, Metrics } from '../../observe/metrics.ts';
import { frameEncoding } from './encoding.ts';
import type { PositionFrames } from './position-frames.ts';

export interface ReplaysParts {
  /** Undefined where the broker keeps none. */
  logs: Logs | undefined;
  metrics: Metrics;
  logger: Logger;
  /** There where the client agreed on `positions`. */
  positions: PositionFrames | undefined;
  /** Told of a replay that cannot go on. */
  failed(filter: string, reason: BrokerError): void;
}

/** The replays of one client: what it subscribed to as `$replay/<start>/<filter>`. */
export class Replays {
  readonly #parts: ReplaysParts;
  readonly #replayed: Counter;
  readonly #running = new Map<string, Replay>();
  /** Bytes that the channel takes before it hands them over, which shows whether the socket wants more. */
  #roomBytes = 0;
  /** What the channel had handed over when there was that room. */
  #deliveredBefore = 0;

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
    this.#replayed = parts.metrics.counter('messages_replayed_total');
  }

  get filters(): Iterable<string> {
    return this.#running.keys();
  }

  get isEmpty(): boolean {
    return this.#running.size === 0;
  }

  /**
   * Begins a replay, unless the client has the same one.
   *
   * @param goesOn whether it goes on with one that another connection had, as far as the client has said.
   * @throws BrokerError `no-log`, `invalid-filter`.
   */
  begin(filter: string, client: Client, goesOn = false): void {
    const { logs, positions } = this.#parts;
    const noted = positions?.takeNoted(filter);
    if (logs === undefined)
      throw new BrokerError('no-log', `filter ${quoted(filter)}: this broker keeps no log`);
    const request = parseReplay(filter, logs.clock.now());
    if (typeof request === 'string')
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${request}`);
    if (this.#running.has(filter)) return;
    if (this.#running.size >= maxReplaysPerClient) {
      throw new BrokerError('too-many-subscriptions', `${this.#running.size} replays are running`);
    }
    const replay = new Replay(
      logs,
      { ...request, positions: noted, goesOn, mayGet: (topic) => client.access.mayGet(topic) },
      this.#targetOf(filter, client.channel),
    );
    this.#running.set(filter, replay);
    replay.start();
  }

  /** Ends a replay, if there is one. */
  end(filter: string): void {
    this.#running.get(filter)?.stop();
    this.#running.delete(filter);
  }

  /** Ends all of them. */
  endAll(): void {
    for (const replay of this.#running.values()) replay.stop();
    this.#running.clear();
  }

  #targetOf(filter: string, channel: Channel): ReplayTarget {
    const { positions, logger } = this.#parts;
    const readers = new Map<Reading, number>();
    return {
      reads: (reading) => {
        if (positions !== undefined) readers.set(reading, positions.announce(filter, reading));
      },
      deliver: (messages, reading) => {
        const reader = readers.get(reading);
        const isPlain = positions === undefined || reader === undefined;
        this.#deliver(
          isPlain ? frameEncoding.encode(messages) : positions.encode(messages, reader),
          messages.length,
          channel,
        );
      },
      holdsBack: (source) => {
        if (this.#hasRoom(channel)) return false;
        channel.holdBackAsker(source);
        return true;
      },
      damaged: (error) =>
        logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay skips damage'),
      failed: (error) => {
        logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay ended');
        this.end(filter);
        const reason = new BrokerError('log-unreadable', `filter ${quoted(filter)}: ${error.message}`);
        this.#parts.failed(filter, reason);
      },
    };
  }

  #hasRoom(channel: Channel): boolean {
    if (channel.isDrained) {
      this.#roomBytes = replayReadBytes;
      this.#deliveredBefore = channel.delivered;
    }
    return this.#roomBytes > 0 && this.#deliveredBefore === channel.delivered;
  }

  #deliver(bytes: Uint8Array, count: number, channel: Channel): void {
    channel.deliver(new Publication(frameEncoding).set(bytes, 0, bytes.length, count));
    this.#replayed.value += count;
    this.#roomBytes -= bytes.length;
  }
}
