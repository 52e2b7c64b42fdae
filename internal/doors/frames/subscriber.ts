import type { Client } from '../../broker/client.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import type { RetainedFeed, Session } from '../../broker/sessions/session.ts';
import { join, type Subscription } from '../../broker/sessions/subscription.ts';
import { BrokerError } from '../../errors.ts';
import { maxSubscriptionsPerClient } from '../../limits/broker.ts';
import { isReplay } from '../../live/replay-filter.ts';
import { encodeFrame, type Frame, FrameError, FrameType } from '../../protocol/frame/frame.ts';
import { GOES_ON } from '../../protocol/frame/positions.ts';
import { type FrameProperties, PropertyId } from '../../protocol/frame/properties.ts';
import { parseShared } from '../../topic.ts';
import type { ClientServices } from '../clients/client-door.ts';
import type { OrderedAnswers } from '../clients/ordered-answers.ts';
import { Replays } from '../clients/replays.ts';
import { RetainedFeeds } from '../clients/retained-feeds.ts';
import { readPermitted } from './message-properties.ts';
import type { FrameOutlet } from './outlet.ts';
import { type PositionFrames, type Positions, partitionAt } from './position-frames.ts';
import type { RefusalFrames } from './refusal-frames.ts';
import { refusalOf } from './refusals.ts';
import { FrameReplayOutlet } from './replay-outlet.ts';

export interface FrameSubscriberParts {
  services: ClientServices;
  client: Client;
  session: Session;
  answers: OrderedAnswers;
  outlet: FrameOutlet;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  /** The properties that the client may send. */
  permitted: ReadonlySet<number>;
  /** There where the client wants to know where in the logs its replays are. */
  positions: PositionFrames | undefined;
  /** There where the client wants to stay connected when something is refused. */
  refusals: RefusalFrames | undefined;
  /** The client has a subscription that it acknowledges. */
  acknowledges(): void;
}

const NO_BYTES = new Uint8Array(0);

/** The subscriptions of one client, with the retained messages and the replays that they bring. */
export class FrameSubscriber {
  readonly #parts: FrameSubscriberParts;
  readonly #session: Session;
  // Made when the first is asked for: few clients have any.
  #retainedFeeds: RetainedFeeds | undefined;
  #replays: Replays | undefined;

  constructor(parts: FrameSubscriberParts) {
    this.#parts = parts;
    this.#session = parts.session;
  }

  get isEmpty(): boolean {
    return this.#session.subscriptionCount === 0 && this.#replays?.isEmpty !== false;
  }

  /** Whether retained messages, or those of a replay, are still to be sent. */
  get isFeeding(): boolean {
    return this.#session.feeds.size > 0 || this.#replays?.isWaiting === true;
  }

  *filters(): Iterable<string> {
    for (const { filter } of this.#session.subscriptions) yield filter;
    yield* this.#replays?.filters() ?? [];
  }

  /** @throws BrokerError, FrameError where the connection is to end with the refusal. */
  subscribe(frame: Frame): void {
    const { services, client, permitted, refusals } = this.#parts;
    try {
      const { properties, payload } = readPermitted(frame, permitted, true);
      services.broker.checkMaySubscribe(client.access, frame.topic);
      if (isReplay(frame.topic)) this.#replay(frame.topic, payload, properties);
      else this.#subscribe(frame.topic, properties);
    } catch (error) {
      if (!(error instanceof BrokerError || error instanceof FrameError)) throw error;
      this.#refuse(refusalOf(error, services.logger), frame.topic, refusals);
    }
  }

  /** Ends a subscription, and answers that. */
  unsubscribe(filter: string): void {
    const { answers, client } = this.#parts;
    const receipt = new Receipt();
    this.#session.unsubscribe(filter, receipt);
    this.#replays?.end(filter);
    answers.inOrder(this.#frame(FrameType.unsuback, filter), receipt, (problem) => {
      // It will ask again.
      if (problem !== undefined) client.disconnect(problem);
    });
  }

  /** Sends what waits, as far as the client takes it: retained messages and live ones side by side, then those of replays. */
  feed(): void {
    if (this.#session.feeds.size > 0) this.#feeds().send();
    this.#session.pump();
    this.#replays?.pump();
  }

  /** The connection is gone. */
  stop(): void {
    this.#replays?.endAll();
    this.#retainedFeeds?.stop();
  }

  #replay(filter: string, payload: Uint8Array, properties: FrameProperties): void {
    const { positions: places, permitted } = this.#parts;
    this.#replays ??= this.#newReplays();
    const positions = this.#startsOf(properties, places?.takeNoted(filter));
    const mayGoOn = places !== undefined || permitted.has(PropertyId.start);
    const goesOn = mayGoOn && payload[0] === GOES_ON[0];
    const options = {
      qos: properties.acknowledged ? (1 as const) : (0 as const),
      noLocal: properties.noLocal === true,
      tags: [],
    };
    const replay = this.#replays.prepare({ filter, asked: filter, options, more: { positions, goesOn } });
    if (options.qos > 0) this.#parts.acknowledges();
    replay.begin();
    this.#parts.answers.inOrder(this.#frame(FrameType.suback, filter));
  }

  /** Where a replay begins in the logs that its client knows. */
  #startsOf({ starts }: FrameProperties, noted: Positions | undefined): Positions | undefined {
    if (starts === undefined) return noted;
    const all: Positions = noted ?? new Map();
    for (const start of starts) {
      const partition = partitionAt(this.#parts.services.logs, start);
      if (partition !== undefined) {
        all.set(partition, { offset: start.offset, sinceMs: Number.NEGATIVE_INFINITY });
      }
    }
    return all;
  }

  #subscribe(filter: string, properties: FrameProperties): void {
    const { client, services, answers, refusals } = this.#parts;
    if (properties.starts !== undefined) {
      throw new FrameError('meaningless', 'properties', 'say where a subscription starts that is no replay');
    }
    const subscription = subscriptionOf(filter, properties);
    const isNew = this.#session.subscription(filter) === undefined;
    const isDue = this.#isOwedRetained(filter, properties, isNew);
    if (isDue) this.#session.owe(filter);
    const most = client.access.most('subscriptions', maxSubscriptionsPerClient);
    const receipt = new Receipt();
    this.#session.subscribe(subscription, receipt, most);
    if (subscription.qos > 0) this.#parts.acknowledges();
    const { retained } = services.broker;
    const feed = isDue ? { messages: retained.find(filter), match: join([subscription])! } : undefined;
    answers.inOrder(this.#frame(FrameType.suback, filter), receipt, (problem) => {
      if (problem === undefined) {
        if (feed !== undefined) this.#begin(filter, feed);
        return;
      }
      if (isNew) this.#session.unsubscribe(filter);
      this.#refuse(problem, filter, refusals);
    });
  }

  /** A subscription that is asked for once more brings them again only to a client that can say when it wants them. */
  #isOwedRetained(filter: string, { retainHandling }: FrameProperties, isNew: boolean): boolean {
    const isWanted = retainHandling === 'always' || (retainHandling !== 'never' && isNew);
    return isWanted && parseShared(filter) === undefined && this.#parts.services.broker.retained.has(filter);
  }

  /** Begins, unless the subscription has ended before it was safe. */
  #begin(filter: string, feed: RetainedFeed): void {
    if (this.#session.subscription(filter) === undefined) return;
    this.#session.beginFeed(filter, feed);
    this.feed();
  }

  #refuse(reason: BrokerError, filter: string, refusals: RefusalFrames | undefined): void {
    if (refusals === undefined) throw reason;
    const { answers } = this.#parts;
    answers.inOrder(refusals.subscribe(reason, filter));
  }

  #feeds(): RetainedFeeds {
    if (this.#retainedFeeds === undefined) {
      const { client, services } = this.#parts;
      const parts = { broker: services.broker, session: this.#session, channel: client.channel };
      this.#retainedFeeds = new RetainedFeeds(parts, () => this.feed());
    }
    return this.#retainedFeeds;
  }

  #newReplays(): Replays {
    const { services, client, positions, refusals, answers } = this.#parts;
    const { logs, metrics, logger, broker } = services;
    return new Replays({
      ...{ logs, metrics, logger, client },
      outlet: new FrameReplayOutlet({
        ...{ channel: client.channel, session: this.#session, clock: broker.clock },
        ...{ outlet: this.#parts.outlet, positions },
      }),
      failed: (filter, reason) => {
        if (refusals === undefined) client.disconnect(reason);
        else answers.inOrder(refusals.subscribe(reason, filter));
      },
    });
  }

  #frame(type: FrameType, filter: string): Uint8Array {
    return encodeFrame(type, filter, NO_BYTES, this.#parts.clientId);
  }
}

function subscriptionOf(filter: string, properties: FrameProperties): Subscription {
  return {
    filter,
    qos: properties.acknowledged ? 1 : 0,
    noLocal: properties.noLocal === true,
    retainAsPublished: properties.retainAsPublished === true,
    tag: undefined,
  };
}
