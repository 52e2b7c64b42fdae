import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import { BrokerError, nameForLog, quoted } from '../../errors.ts';
import { maxReplaysPerClient } from '../../limits/doors.ts';
import { Replay, type ReplayTarget } from '../../live/replay.ts';
import { parseReplay, type ReplayRequest } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { Counter, Metrics } from '../../observe/metrics.ts';
import { ReplayFeed, type ReplayOptions, type ReplayOutlet, ReplayRoom } from './replay-feed.ts';

export interface ReplaysParts {
  /** Undefined where the broker keeps none. */
  logs: Logs | undefined;
  metrics: Metrics;
  logger: Logger;
  client: Client;
  outlet: ReplayOutlet;
  /** Told of a replay that cannot go on, and has ended. */
  failed(filter: string, reason: BrokerError): void;
}

/** A replay that a client asks for. */
export interface WantedReplay {
  /** What the client calls it. */
  filter: string;
  /** The same as `$replay/<start>/<filter>`. */
  asked: string;
  options: ReplayOptions;
  /** What else the client says of it. */
  more?: Pick<ReplayRequest, 'positions' | 'goesOn'>;
}

/** A replay that is asked for. Nothing becomes of it until it begins. */
export interface ReplayPlan {
  begin(): void;
  cancel(): void;
}

interface Running {
  asked: string;
  replay: Replay;
  feed: ReplayFeed;
}

/**
 * The replays of one client. They end with the connection. What was sent and is to be acknowledged stays with the session,
 * because the client may know its token, and is sent again as anything else is.
 */
export class Replays {
  readonly #parts: ReplaysParts;
  readonly #replayed: Counter;
  #running: Map<string, Running> | undefined;
  #room: ReplayRoom | undefined;
  /** Those that have something to send, in the order in which it is their turn. */
  #waiting: Set<ReplayFeed> | undefined;

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
    this.#replayed = parts.metrics.counter('messages_replayed_total');
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
   * Makes a replay ready. One that the client has already goes on where it is, with the options of the new request, unless
   * that starts elsewhere.
   *
   * @throws BrokerError `no-log`, `invalid-filter`, `too-many-subscriptions`.
   */
  prepare({ filter, asked, options, more }: WantedReplay): ReplayPlan {
    const { logs } = this.#parts;
    if (logs === undefined)
      throw new BrokerError('no-log', `filter ${quoted(filter)}: this broker keeps no log`, {
        topic: filter,
      });
    const request = parseReplay(asked, logs.clock.now());
    if (typeof request === 'string')
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${request}`, { topic: filter });
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
    const running = this.#newReplay(logs, { ...request, ...more }, { filter, asked, options });
    // Counted from now on: one request may ask for many.
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
    return this.#running!.delete(filter);
  }

  endAll(): void {
    if (this.#running === undefined) return;
    for (const filter of [...this.#running.keys()]) this.end(filter);
  }

  #newReplay(logs: Logs, request: ReplayRequest, { filter, asked, options }: WantedReplay): Running {
    const { client, outlet } = this.#parts;
    this.#room ??= new ReplayRoom(outlet.channel);
    const feed = new ReplayFeed({ outlet, room: this.#room, options, clientId: client.identity.clientId });
    const mayGet = (topic: string) => client.access.mayGet(topic);
    const replay = new Replay(logs, { ...request, mayGet }, this.#targetOf(filter, feed));
    return { asked, replay, feed };
  }

  #targetOf(filter: string, feed: ReplayFeed): ReplayTarget {
    const { outlet, logger } = this.#parts;
    return {
      reads: (reading) => outlet.reads?.(filter, reading),
      deliver: (messages, reading) => {
        this.#replayed.value += messages.length;
        feed.take(messages, reading);
        if (!feed.isWaiting) return;
        this.#waiting ??= new Set();
        this.#waiting.add(feed);
        this.pump();
      },
      holdsBack: (source) => feed.holdsBack(source),
      damaged: (error) =>
        logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay skips damage'),
      failed: (error) => {
        logger.error({ filter: nameForLog(filter), error: error.message }, 'a replay ended');
        this.end(filter);
        const reason = new BrokerError('log-unreadable', `filter ${quoted(filter)}: ${error.message}`, {
          topic: filter,
        });
        this.#parts.failed(filter, reason);
      },
    };
  }
}
