import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import type { Message } from '../../broker/publication.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { maxReplaysPerClient, sessionSendAheadBytes } from '../../limits.ts';
import { Replay } from '../../live/replay.ts';
import { isReplay, parseReplay } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { Counter, Metrics } from '../../metrics/metrics.ts';
import { replayFilter } from '../../topic.ts';
import type { MqttOutlet } from './outlet.ts';

/** The other way to ask for a replay, in which a user property of SUBSCRIBE says where it starts. */
const STREAM_PREFIX = '$stream/';
const STREAM_OFFSET = 'stream-offset';

export interface ReplaysParts {
  /** Undefined where the broker keeps none. */
  logs: Logs | undefined;
  metrics: Metrics;
  log: Logger;
  client: Client;
  outlet: MqttOutlet;
}

/** The replays of one client: what it subscribed to as `$replay/<start>/<filter>` or `$stream/<filter>`. */
export class Replays {
  readonly #parts: ReplaysParts;
  readonly #replayed: Counter;
  readonly #running = new Map<string, Replay>();

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
    this.#replayed = parts.metrics.counter(
      'messages_replayed_total',
      'Messages that were read from a log for a subscriber.',
    );
  }

  /** Whether a filter asks for history. */
  isReplay(filter: string): boolean {
    return isReplay(filter) || filter.startsWith(STREAM_PREFIX);
  }

  get isEmpty(): boolean {
    return this.#running.size === 0;
  }

  /**
   * Makes a replay ready; what is returned begins it, unless the client has the same one.
   *
   * @throws BrokerError `no-log`, `invalid-filter`, `too-many-subscriptions`.
   */
  prepare(filter: string, userProperties: readonly [string, string][] | undefined): () => void {
    const { logs, log, client, outlet } = this.#parts;
    if (logs === undefined)
      throw new BrokerError('no-log', `filter ${quoted(filter)}: this broker keeps no log`);
    const request = parseReplay(asReplay(filter, userProperties), Date.now());
    if (typeof request === 'string')
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${request}`);
    if (this.#running.has(filter)) return () => {};
    if (this.#running.size >= maxReplaysPerClient) {
      throw new BrokerError('too-many-subscriptions', `${this.#running.size} replays are running`);
    }
    const replay = new Replay(logs, request, {
      deliver: (messages) => this.#deliver(messages),
      holdsBack: (source) => {
        if (outlet.channel.isDrained || outlet.channel.waitingBytes < sessionSendAheadBytes) return false;
        outlet.channel.holdBackAsker(source);
        return true;
      },
      damaged: (error) =>
        log.error({ filter: quoted(filter), error: error.message }, 'a replay skips damage'),
      failed: (error) => {
        log.error({ filter: quoted(filter), error: error.message }, 'a replay ended');
        client.disconnect(new BrokerError('log-unreadable', error.message));
      },
    });
    this.#running.set(filter, replay);
    return () => replay.start();
  }

  /** Ends a replay; whether there was one. */
  end(filter: string): boolean {
    this.#running.get(filter)?.stop();
    return this.#running.delete(filter);
  }

  endAll(): void {
    for (const replay of this.#running.values()) replay.stop();
    this.#running.clear();
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) this.#parts.outlet.send(message, PLAIN, 0, false);
    this.#replayed.value += messages.length;
  }
}

const PLAIN = { qos: 0, retain: false, identifiers: [] };

/** `$stream/<filter>` with the property that says where it starts; without one it starts with what comes next. */
function asReplay(filter: string, userProperties: readonly [string, string][] | undefined): string {
  if (!filter.startsWith(STREAM_PREFIX)) return filter;
  const start = userProperties?.findLast(([name]) => name === STREAM_OFFSET)?.[1] ?? 'latest';
  return replayFilter(start, filter.slice(STREAM_PREFIX.length));
}
