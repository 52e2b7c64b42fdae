import type { Logger } from '../../../broker/broker.ts';
import type { Client } from '../../../broker/client.ts';
import type { Session } from '../../../broker/sessions/session.ts';
import { BrokerError, nameForLog, quoted } from '../../../errors.ts';
import { maxReplaysPerClient } from '../../../limits/doors.ts';
import { type Reading, Replay, type ReplayedMessage } from '../../../live/replay.ts';
import { isReplay, parseReplay, type ReplayRequest } from '../../../live/replay-filter.ts';
import type { Logs } from '../../../log/logs.ts';
import type { Counter, Metrics } from '../../../observe/metrics.ts';
import type { SubscriptionRequest, Version } from '../../../protocol/mqtt/packet.ts';
import type { Properties } from '../../../protocol/mqtt/properties.ts';
import type { MqttOutlet } from '../outgoing/outlet.ts';
import { ReplayFeed, type ReplayOptions } from './replay-feed.ts';
import { isStream, streamAsReplay } from './stream-filter.ts';

export interface ReplaysParts {
  /** Undefined where the broker keeps none. */
  logs: Logs | undefined;
  metrics: Metrics;
  logger: Logger;
  client: Client;
  session: Session;
  outlet: MqttOutlet;
  version: Version;
}

/** A replay that is asked for. Nothing becomes of it until it begins. */
export interface ReplayPlan {
  begin(): void;
  cancel(): void;
}

interface Running {
  /** The filter with its start, in the words of the request. */
  asked: string;
  replay: Replay;
  feed: ReplayFeed;
}

/**
 * The replays of one client: what it subscribed to as `$replay/<start>/<filter>` or `$stream/<filter>`. They end with the
 * connection. What was sent with QoS 1 and 2 and is not acknowledged by then stays with the session, because the client
 * may know its packet id, and is sent again as anything else is [MQTT-4.4.0-1].
 */
export class Replays {
  readonly #parts: ReplaysParts;
  readonly #replayed: Counter;
  #running: Map<string, Running> | undefined;
  /** Those that have something to send, in the order in which it is their turn. */
  #waiting: Set<ReplayFeed> | undefined;

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
    this.#replayed = parts.metrics.counter('messages_replayed_total');
  }

  /** The replay that a filter asks for, as `$replay/<start>/<filter>`; undefined where it asks for none. */
  replayOf(filter: string, { userProperties }: Properties): string | undefined {
    if (isStream(filter)) return streamAsReplay(filter, userProperties);
    return isReplay(filter) ? filter : undefined;
  }

  /** The replays as `$replay/<start>/<filter>`, which is what was asked about. */
  *filters(): Iterable<string> {
    for (const { asked } of this.#running?.values() ?? []) yield asked;
  }

  get isEmpty(): boolean {
    return this.#running === undefined || this.#running.size === 0;
  }

  /** Whether messages were read that the client did not take yet. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined && this.#waiting.size > 0;
  }

  /**
   * Makes a replay ready. One that the client has already goes on where it is, with the options of the new request
   * [MQTT-3.8.4-3] [MQTT-3.8.4-4], unless that starts elsewhere.
   *
   * @param asked what {@link replayOf} says of the filter.
   * @throws BrokerError `no-log`, `invalid-filter`, `too-many-subscriptions`.
   */
  prepare(
    asked: string,
    { filter, qos, noLocal }: SubscriptionRequest,
    { subscriptionIdentifiers }: Properties,
  ): ReplayPlan {
    const { logs } = this.#parts;
    if (logs === undefined)
      throw new BrokerError('no-log', `filter ${quoted(filter)}: this broker keeps no log`);
    const request = parseReplay(asked, logs.clock.now());
    if (typeof request === 'string')
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${request}`);
    const options = { qos, noLocal, tags: subscriptionIdentifiers ?? [] };
    this.#running ??= new Map();
    const all = this.#running;
    const before = all.get(filter);
    if (before?.asked === asked) {
      return {
        begin: () => {
          before.feed.options = options;
        },
        cancel: () => {},
      };
    }
    if (before === undefined && all.size >= maxReplaysPerClient) {
      throw new BrokerError('too-many-subscriptions', `${all.size} replays are running`);
    }
    const running = this.#newReplay(logs, filter, asked, request, options);
    // Counted from now on: one SUBSCRIBE may ask for many.
    if (before === undefined) all.set(filter, running);
    return {
      begin: () => {
        if (before !== undefined) this.end(filter);
        all.set(filter, running);
        running.replay.start();
      },
      cancel: () => {
        if (all.get(filter) === running) all.delete(filter);
      },
    };
  }

  /** Sends what was read, a message of each replay in turn, as far as the client takes it. */
  pump(): void {
    // A replay with more messages goes behind the others, and is served again in this loop.
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    for (const feed of waiting) {
      if (!feed.sendNext()) return;
      waiting.delete(feed);
      if (feed.isWaiting) waiting.add(feed);
    }
  }

  /** Ends a replay; whether there was one. */
  end(filter: string): boolean {
    const running = this.#running?.get(filter);
    if (running === undefined) return false;
    running.replay.stop();
    this.#waiting?.delete(running.feed);
    return this.#running?.delete(filter) === true;
  }

  endAll(): void {
    if (this.#running === undefined) return;
    for (const filter of [...this.#running.keys()]) this.end(filter);
  }

  #newReplay(
    logs: Logs,
    filter: string,
    asked: string,
    request: ReplayRequest,
    options: ReplayOptions,
  ): Running {
    const { logger, client, session, outlet, version } = this.#parts;
    const feed = new ReplayFeed(session, outlet, version, options);
    const mayGet = (topic: string) => client.access.mayGet(topic);
    const replay = new Replay(
      logs,
      { ...request, mayGet },
      {
        deliver: (messages, reading) => this.#take(feed, messages, reading),
        holdsBack: (source) => feed.holdsBack(source),
        damaged: (error) =>
          logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay skips damage'),
        failed: (error) => {
          logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay ended');
          client.disconnect(new BrokerError('log-unreadable', error.message));
        },
      },
    );
    return { asked, replay, feed };
  }

  #take(feed: ReplayFeed, messages: readonly ReplayedMessage[], reading: Reading): void {
    this.#replayed.value += messages.length;
    feed.take(messages, reading);
    if (!feed.isWaiting) return;
    this.#waiting ??= new Set();
    this.#waiting.add(feed);
    this.pump();
  }
}
