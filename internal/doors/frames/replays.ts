import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import type { Channel } from '../../broker/delivery/channel.ts';
import { type Message, Publication } from '../../broker/delivery/publication.ts';
import { BrokerError, nameForLog, quoted } from '../../errors.ts';
import { maxReplaysPerClient } from '../../limits/doors.ts';
import { replayReadBytes } from '../../limits/live.ts';
import { Replay } from '../../live/replay.ts';
import { parseReplay } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { Counter, Metrics } from '../../observe/metrics.ts';
import { frameEncoding } from './encoding.ts';

/** The replays of one client: what it subscribed to as `$replay/<start>/<filter>`. */
export class Replays {
  readonly #logs: Logs | undefined;
  readonly #log: Logger;
  readonly #replayed: Counter;
  readonly #failed: (filter: string, reason: BrokerError) => void;
  readonly #running = new Map<string, Replay>();
  /** Bytes that the channel takes before it hands them over, which shows whether the socket wants more. */
  #roomBytes = 0;
  /** What the channel had handed over when there was that room. */
  #deliveredBefore = 0;

  /**
   * @param logs undefined where the broker keeps none.
   * @param failed called for a replay that cannot go on.
   */
  constructor(
    logs: Logs | undefined,
    metrics: Metrics,
    log: Logger,
    failed: (filter: string, reason: BrokerError) => void,
  ) {
    this.#logs = logs;
    this.#log = log;
    this.#failed = failed;
    this.#replayed = metrics.counter('messages_replayed_total');
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
   * @throws BrokerError `no-log`, `invalid-filter`.
   */
  begin(filter: string, client: Client): void {
    if (this.#logs === undefined)
      throw new BrokerError('no-log', `filter ${quoted(filter)}: this broker keeps no log`);
    const request = parseReplay(filter, Date.now());
    if (typeof request === 'string')
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${request}`);
    if (this.#running.has(filter)) return;
    if (this.#running.size >= maxReplaysPerClient) {
      throw new BrokerError('too-many-subscriptions', `${this.#running.size} replays are running`);
    }
    const { channel } = client;
    const replay = new Replay(this.#logs, request, {
      deliver: (messages) => this.#deliver(messages, channel),
      holdsBack: (source) => {
        if (this.#hasRoom(channel)) return false;
        channel.holdBackAsker(source);
        return true;
      },
      damaged: (error) =>
        this.#log.error({ filter: nameForLog(filter), error: error.message }, 'a replay skips damage'),
      failed: (error) => {
        this.#log.error({ filter: nameForLog(filter), error: error.message }, 'a replay ended');
        this.end(filter);
        this.#failed(filter, new BrokerError('log-unreadable', `filter ${quoted(filter)}: ${error.message}`));
      },
    });
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

  #hasRoom(channel: Channel): boolean {
    if (channel.isDrained) {
      this.#roomBytes = replayReadBytes;
      this.#deliveredBefore = channel.delivered;
    }
    return this.#roomBytes > 0 && this.#deliveredBefore === channel.delivered;
  }

  #deliver(messages: readonly Message[], channel: Channel): void {
    const bytes = frameEncoding.encode(messages);
    channel.deliver(new Publication(frameEncoding).set(bytes, 0, bytes.length, messages.length));
    this.#replayed.value += messages.length;
    this.#roomBytes -= bytes.length;
  }
}
