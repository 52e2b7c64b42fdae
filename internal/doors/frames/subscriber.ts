import type { Client } from '../../broker/client.ts';
import type { Session } from '../../broker/sessions/session.ts';
import { join, type Subscription, simpleSubscription } from '../../broker/sessions/subscription.ts';
import { BrokerError } from '../../errors.ts';
import { maxSubscriptionsPerClient } from '../../limits/broker.ts';
import { isReplay } from '../../live/replay-filter.ts';
import { encodeFrame, type Frame, FrameType } from '../../protocol/frame/frame.ts';
import { GOES_ON } from '../../protocol/frame/positions.ts';
import { parseShared } from '../../topic.ts';
import type { ClientServices } from '../clients/client-door.ts';
import { PlainOutlet } from '../clients/plain-outlet.ts';
import { Replays } from '../clients/replays.ts';
import { RetainedFeeds } from '../clients/retained-feeds.ts';
import { encodeMessage } from './encoding.ts';
import type { PositionFrames } from './position-frames.ts';
import type { RefusalFrames } from './refusal-frames.ts';
import { FRAME_REPLAY, FrameReplayOutlet } from './replay-outlet.ts';

export interface FrameSubscriberParts {
  services: ClientServices;
  client: Client;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  /** There where the client wants to know where in the logs its replays are. */
  positions: PositionFrames | undefined;
  /** There where the client wants to stay connected when something is refused. */
  refusals: RefusalFrames | undefined;
}

const NO_BYTES = new Uint8Array(0);

/** The subscriptions of one client, with the retained messages and the replays that they bring. */
export class FrameSubscriber {
  readonly #services: ClientServices;
  readonly #client: Client;
  readonly #clientId: string;
  readonly #positions: PositionFrames | undefined;
  readonly #refusals: RefusalFrames | undefined;
  readonly #session: Session;
  // Made when the first is asked for: few clients have any.
  #retainedFeeds: RetainedFeeds | undefined;
  #replays: Replays | undefined;

  constructor({ services, client, clientId, positions, refusals }: FrameSubscriberParts) {
    this.#services = services;
    this.#client = client;
    this.#clientId = clientId;
    this.#positions = positions;
    this.#refusals = refusals;
    const outlet = new PlainOutlet(client.channel, encodeMessage);
    this.#session = services.sessions.passing(client.identity, outlet);
  }

  get isEmpty(): boolean {
    return this.#session.subscriptionCount === 0 && this.#replays?.isEmpty !== false;
  }

  *filters(): Iterable<string> {
    for (const { filter } of this.#session.subscriptions) yield filter;
    yield* this.#replays?.filters() ?? [];
  }

  /** @throws BrokerError where the connection is to end with the refusal. */
  subscribe(frame: Frame): void {
    try {
      this.#services.broker.checkMaySubscribe(this.#client.access, frame.topic);
      if (isReplay(frame.topic)) this.#replay(frame);
      else this.#subscribe(frame.topic);
    } catch (error) {
      if (this.#refusals === undefined || !(error instanceof BrokerError)) throw error;
      this.#refusals.subscribe(error, frame.topic);
    }
  }

  unsubscribe(filter: string): void {
    this.#session.unsubscribe(filter);
    this.#replays?.end(filter);
  }

  /** Ends all of it. */
  stop(): void {
    this.#replays?.endAll();
    this.#retainedFeeds?.stop();
    this.#session.unsubscribeAll();
  }

  #replay({ topic: filter, payload }: Frame): void {
    this.#replays ??= this.#newReplays();
    const positions = this.#positions?.takeNoted(filter);
    const goesOn = this.#positions !== undefined && payload[0] === GOES_ON[0];
    const more = { positions, goesOn };
    this.#replays.prepare({ filter, asked: filter, options: FRAME_REPLAY, more }).begin();
    this.#confirm(filter);
  }

  #subscribe(filter: string): void {
    const subscription = simpleSubscription(filter);
    const most = this.#client.access.most('subscriptions', maxSubscriptionsPerClient);
    const isNew = this.#session.subscribe(subscription, undefined, most);
    this.#confirm(filter);
    if (isNew && parseShared(filter) === undefined && this.#services.broker.retained.has(filter)) {
      this.#feedRetained(subscription);
    }
  }

  /** Sends the retained messages of a new subscription, one after the other, as fast as the client takes them. */
  #feedRetained(subscription: Subscription): void {
    const { broker } = this.#services;
    const session = this.#session;
    const { filter } = subscription;
    if (this.#retainedFeeds === undefined) {
      const { channel } = this.#client;
      const feeds = new RetainedFeeds({ broker, session, channel }, () => feeds.send());
      this.#retainedFeeds = feeds;
    }
    session.beginFeed(filter, { messages: broker.retained.find(filter), match: join([subscription])! });
    this.#retainedFeeds.send();
  }

  #newReplays(): Replays {
    const { logs, metrics, logger, broker } = this.#services;
    const client = this.#client;
    return new Replays({
      ...{ logs, metrics, logger, client },
      outlet: new FrameReplayOutlet(client.channel, broker.clock, this.#positions),
      failed: (filter, reason) => {
        if (this.#refusals === undefined) client.disconnect(reason);
        else this.#refusals.subscribe(reason, filter);
      },
    });
  }

  #confirm(filter: string): void {
    this.#client.channel.control(encodeFrame(FrameType.suback, filter, NO_BYTES, this.#clientId));
  }
}
