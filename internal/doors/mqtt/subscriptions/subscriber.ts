import type { Client } from '../../../broker/client.ts';
import { Receipt } from '../../../broker/delivery/receipt.ts';
import type { RetainedFeed, Session } from '../../../broker/sessions/session.ts';
import { join } from '../../../broker/sessions/subscription.ts';
import { BrokerError, quoted } from '../../../errors.ts';
import { maxSubscriptionsPerClient } from '../../../limits/broker.ts';
import { maxFiltersPerSubscribe } from '../../../limits/mqtt.ts';
import { isReplay } from '../../../live/replay-filter.ts';
import {
  PacketType,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  type Unsubscribe,
  type Version,
} from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import { FIRST_FAILURE, ReasonCode, SUBACK_FAILURE } from '../../../protocol/mqtt/reason-codes.ts';
import { filterProblem, parseShared } from '../../../topic.ts';
import type { ClientServices } from '../../clients/client-door.ts';
import { RefusalLog } from '../../clients/refusal-log.ts';
import { type ReplayPlan, Replays } from '../../clients/replays.ts';
import { RetainedFeeds } from '../../clients/retained-feeds.ts';

import type { Answers } from '../outgoing/answers.ts';
import type { MqttOutlet } from '../outgoing/outlet.ts';
import { reasonCodeOf, refusalOf } from '../refusals.ts';
import { MqttReplayOutlet } from './replay-outlet.ts';
import { isStream, streamAsReplay } from './stream-filter.ts';

/** Problems that a reason string tells of; it is shortened anyway. */
const MOST_PROBLEMS = 10;

export interface SubscriberParts {
  services: ClientServices;
  client: Client;
  session: Session;
  outlet: MqttOutlet;
  answers: Answers;
  version: Version;
  isBridge: boolean;
  /** Ends the connection. */
  refuse(reason: BrokerError): void;
}

/** The retained messages for a subscription, once it is granted. */
interface PendingFeed {
  filter: string;
  feed: RetainedFeed;
}

/** The subscriptions of one client, and the retained messages that they bring. */
export class Subscriber {
  readonly #services: ClientServices;
  readonly #client: Client;
  readonly #session: Session;
  readonly #outlet: MqttOutlet;
  readonly #answers: Answers;
  // Made when there is something to send, or to refuse: few clients have any.
  #replays: Replays | undefined;
  #retained: RetainedFeeds | undefined;
  #refusals: RefusalLog | undefined;
  readonly #version: Version;
  readonly #isBridge: boolean;
  readonly #refuse: (reason: BrokerError) => void;

  constructor(parts: SubscriberParts) {
    this.#services = parts.services;
    this.#client = parts.client;
    this.#session = parts.session;
    this.#outlet = parts.outlet;
    this.#answers = parts.answers;
    this.#version = parts.version;
    this.#isBridge = parts.isBridge;
    this.#refuse = parts.refuse;
  }

  get hasReplays(): boolean {
    return this.#replays?.isEmpty === false;
  }

  /** The replays as `$replay/<start>/<filter>`, which is what was asked about. */
  replayed(): Iterable<string> {
    return this.#replays?.filters() ?? [];
  }

  /** Whether retained messages, or those of a replay, are still to be sent. */
  get isFeeding(): boolean {
    return this.#session.feeds.size > 0 || this.#replays?.isWaiting === true;
  }

  /** Answers SUBSCRIBE: one reason code for each filter, in order [MQTT-3.8.4-6]. */
  subscribe({ packetId, subscriptions, properties }: Subscribe): void {
    const reasonCodes: number[] = [];
    const problems: string[] = [];
    const dues: PendingFeed[] = [];
    const receipt = new Receipt();
    const replays: ReplayPlan[] = [];
    const added: string[] = [];
    for (const asked of subscriptions.slice(0, maxFiltersPerSubscribe)) {
      const request = this.#isBridge ? bridged(asked) : asked;
      const { filter } = request;
      try {
        const replay = replayOf(filter, properties);
        if (replay !== undefined) {
          this.#services.broker.checkMaySubscribe(this.#client.access, replay);
          const { qos, noLocal } = request;
          const options = { qos, noLocal, tags: properties.subscriptionIdentifiers ?? [] };
          this.#replays ??= this.#newReplays();
          replays.push(this.#replays.prepare({ filter, asked: replay, options }));
          reasonCodes.push(request.qos);
          continue;
        }
        const isNew = this.#session.subscription(filter) === undefined;
        const due = this.#subscribe(request, isNew, properties.subscriptionIdentifiers?.[0], receipt);
        if (isNew) added.push(filter);
        if (due !== undefined) dues.push(due);
        reasonCodes.push(request.qos);
      } catch (error) {
        const refusal = refusalOf(error, this.#services.logger);
        reasonCodes.push(this.#failureCode(refusal));
        if (problems.length < MOST_PROBLEMS) problems.push(refusal.message);
        this.#logRefusal(refusal, filter);
      }
    }
    if (subscriptions.length > maxFiltersPerSubscribe) {
      const most = `${subscriptions.length} filters; at most ${maxFiltersPerSubscribe} are taken of one SUBSCRIBE`;
      const refusal = new BrokerError('too-many-subscriptions', most);
      const failure = this.#failureCode(refusal);
      for (let left = subscriptions.length - reasonCodes.length; left > 0; left--) reasonCodes.push(failure);
      problems.push(refusal.message);
      this.#logRefusal(refusal);
    }
    const suback = { type: PacketType.suback, packetId, reasonCodes, properties: NO_PROPERTIES } as const;
    const bytes = this.#answers.encode(suback, problems.length > 0 ? problems.join('; ') : undefined);
    this.#answers.inOrder(bytes, receipt, (problem) => {
      if (problem !== undefined) {
        for (const replay of replays) replay.cancel();
        this.#takeBack(suback, added, problem);
        return;
      }
      for (const replay of replays) replay.begin();
      for (const due of dues) this.#begin(due);
      this.feed();
    });
  }

  /** Answers UNSUBSCRIBE [MQTT-3.11.3-1]. */
  unsubscribe({ packetId, filters }: Unsubscribe): void {
    const reasonCodes: number[] = [];
    const problems: string[] = [];
    const receipt = new Receipt();
    for (const filter of filters) {
      const problem = filterProblem(filter);
      if (this.#replays?.end(filter) || this.#session.unsubscribe(filter, receipt)) {
        reasonCodes.push(ReasonCode.success);
      } else if (problem === undefined) {
        reasonCodes.push(ReasonCode.noSubscriptionExisted);
      } else {
        reasonCodes.push(ReasonCode.invalidTopicFilter);
        if (problems.length >= MOST_PROBLEMS) continue;
        problems.push(new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`).message);
      }
    }
    const unsuback = { type: PacketType.unsuback, packetId, reasonCodes, properties: NO_PROPERTIES };
    const bytes = this.#answers.encode(unsuback, problems.length > 0 ? problems.join('; ') : undefined);
    this.#answers.inOrder(bytes, receipt, (problem) => {
      // It will ask again; there is no code for this before version 5.
      if (problem !== undefined) this.#refuse(problem);
    });
  }

  /** Sends what waits, retained messages and live ones side by side, then those of replays, as many as the client takes. */
  feed(): void {
    if (this.#session.feeds.size > 0) this.#retainedFeeds().send();
    this.#session.pump();
    this.#replays?.pump();
  }

  #newReplays(): Replays {
    const { logs, metrics, logger } = this.#services;
    const client = this.#client;
    return new Replays({
      ...{ logs, metrics, logger, client },
      outlet: new MqttReplayOutlet(this.#session, this.#outlet, this.#version),
      failed: (_filter, reason) => client.disconnect(reason),
    });
  }

  #retainedFeeds(): RetainedFeeds {
    if (this.#retained === undefined) {
      const parts = { broker: this.#services.broker, session: this.#session, channel: this.#outlet.channel };
      this.#retained = new RetainedFeeds(parts, () => this.feed());
    }
    return this.#retained;
  }

  stop(): void {
    this.#retained?.stop();
    this.#replays?.endAll();
  }

  /** Begins, or begins anew, unless the subscription has ended before it was safe. */
  #begin({ filter, feed }: PendingFeed): void {
    if (this.#session.subscription(filter) !== undefined) this.#session.beginFeed(filter, feed);
  }

  /** @throws BrokerError `invalid-filter`, `not-authorized`, `too-many-subscriptions`. */
  #subscribe(
    { filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest,
    isNew: boolean,
    tag: number | undefined,
    receipt: Receipt,
  ): PendingFeed | undefined {
    this.#services.broker.checkMaySubscribe(this.#client.access, filter);
    const session = this.#session;
    const subscription = { filter, qos, noLocal, retainAsPublished, tag };
    // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]; a shared subscription gets none (MQTT 5, section 4.8.2).
    const isWanted = retainHandling === 0 || (retainHandling === 1 && isNew);
    const isDue = isWanted && parseShared(filter) === undefined && this.#services.broker.retained.has(filter);
    if (isDue) session.owe(filter);
    const most = this.#client.access.most('subscriptions', maxSubscriptionsPerClient);
    session.subscribe(subscription, receipt, most);
    if (!isDue) return undefined;
    const feed = { messages: this.#services.broker.retained.find(filter), match: join([subscription])! };
    return { filter, feed };
  }

  /** The store could not keep what SUBACK would have promised: nothing of the request is granted. */
  #takeBack(suback: Suback, added: readonly string[], refusal: BrokerError): void {
    for (const filter of added) this.#session.unsubscribe(filter);
    const reasonCodes = suback.reasonCodes.map((code) =>
      code < FIRST_FAILURE ? this.#failureCode(refusal) : code,
    );
    this.#answers.now(this.#answers.encode({ ...suback, reasonCodes }, refusal.message));
    this.#logRefusal(refusal);
  }

  /** [MQTT-3.9.3-2]; version 3.1.1 knows one failure. */
  #failureCode(refusal: BrokerError): number {
    return this.#version === 5 ? reasonCodeOf(refusal, 'suback') : SUBACK_FAILURE;
  }

  #logRefusal(refusal: BrokerError, topic?: string): void {
    this.#refusals ??= new RefusalLog(this.#services.fates, this.#client.access.identity);
    this.#refusals.add(refusal, 'a subscription was refused', { topic });
  }
}

/** The replay that a filter asks for, as `$replay/<start>/<filter>`; undefined where it asks for none. */
function replayOf(filter: string, { userProperties }: Properties): string | undefined {
  if (isStream(filter)) return streamAsReplay(filter, userProperties);
  return isReplay(filter) ? filter : undefined;
}

/**
 * What a bridge wants, which no version before 5 has words for: retained messages as such, so that the broker behind it
 * retains them too, and nothing back that came from there. A group has no use for the latter [MQTT-3.8.3-4].
 */
function bridged(request: SubscriptionRequest): SubscriptionRequest {
  return { ...request, retainAsPublished: true, noLocal: parseShared(request.filter) === undefined };
}
