import type { Identity } from '../../auth/guard.ts';
import type { Broker, Logger } from '../../broker/broker.ts';
import type { Channel } from '../../broker/channel.ts';
import type { Message } from '../../broker/publication.ts';
import { Receipt, SAFE } from '../../broker/receipt.ts';
import type { Session } from '../../broker/session.ts';
import type { Sessions } from '../../broker/sessions.ts';
import { join, type Match } from '../../broker/subscription.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { maxSubscriptionsPerClient, retainedPerStep, sessionSendAheadBytes } from '../../limits.ts';
import {
  PacketType,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  type Unsubscribe,
  type Version,
} from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../protocol/mqtt/properties.ts';
import { FIRST_FAILURE, ReasonCode, SUBACK_FAILURE } from '../../protocol/mqtt/reason-codes.ts';
import { filterProblem, parseShared } from '../../topic.ts';
import type { Answers } from './answers.ts';
import { reasonCodeOf, refusalOf } from './refusals.ts';
import type { PreparedReplay, Replays } from './replays.ts';

export interface SubscriberParts {
  broker: Broker;
  sessions: Sessions;
  log: Logger;
  identity: Identity;
  session: Session;
  channel: Channel;
  answers: Answers;
  replays: Replays;
  version: Version;
  /** Ends the connection. */
  refuse(reason: BrokerError): void;
}

/** Retained messages on their way to a subscription that is new. */
interface Feed {
  messages: Iterator<Message>;
  match: Match;
}

/** What one client subscribes to, and the retained messages that it gets for that. */
export class Subscriber {
  readonly #broker: Broker;
  readonly #sessions: Sessions;
  readonly #log: Logger;
  readonly #identity: Identity;
  readonly #session: Session;
  readonly #channel: Channel;
  readonly #answers: Answers;
  readonly #replays: Replays;
  readonly #version: Version;
  readonly #refuse: (reason: BrokerError) => void;
  #feeds: Feed[] = [];

  constructor(parts: SubscriberParts) {
    this.#broker = parts.broker;
    this.#sessions = parts.sessions;
    this.#log = parts.log;
    this.#identity = parts.identity;
    this.#session = parts.session;
    this.#channel = parts.channel;
    this.#answers = parts.answers;
    this.#replays = parts.replays;
    this.#version = parts.version;
    this.#refuse = parts.refuse;
  }

  /** Whether retained messages, or those of a replay, are still to be sent. */
  get isFeeding(): boolean {
    return this.#feeds.length > 0 || this.#replays.isWaiting;
  }

  /** Answers SUBSCRIBE: one reason code for each filter, in order [MQTT-3.8.4-6]. */
  subscribe({ packetId, subscriptions, properties }: Subscribe): void {
    const reasonCodes: number[] = [];
    const problems: string[] = [];
    const feeds: Feed[] = [];
    const writesBefore = this.#session.store.writes;
    const replays: PreparedReplay[] = [];
    const added: string[] = [];
    for (const request of subscriptions) {
      const { filter } = request;
      try {
        const replay = this.#replays.replayOf(filter, properties);
        if (replay !== undefined) {
          this.#broker.checkMaySubscribe(this.#identity, replay);
          replays.push(this.#replays.prepare(replay, request, properties));
          reasonCodes.push(request.qos);
          continue;
        }
        const isNew = this.#session.subscription(filter) === undefined;
        const feed = this.#subscribe(request, isNew, properties.subscriptionIdentifiers?.[0]);
        if (isNew) added.push(filter);
        if (feed !== undefined) feeds.push(feed);
        reasonCodes.push(request.qos);
      } catch (error) {
        const refusal = refusalOf(error, this.#log);
        reasonCodes.push(this.#failureCode(refusal));
        problems.push(refusal.message);
        this.#logRefusal(refusal);
      }
    }
    const suback = { type: PacketType.suback, packetId, reasonCodes, properties: NO_PROPERTIES } as const;
    const bytes = this.#answers.encode(suback, problems.length > 0 ? problems.join('; ') : undefined);
    this.#answers.inOrder(bytes, this.#receiptOfWrites(writesBefore), (problem) => {
      if (problem !== undefined) {
        for (const replay of replays) replay.cancel();
        this.#takeBack(suback, added, problem);
        return;
      }
      for (const replay of replays) replay.begin();
      this.#feeds.push(...feeds);
      this.feed();
    });
  }

  /** Answers UNSUBSCRIBE [MQTT-3.11.3-1]. */
  unsubscribe({ packetId, filters }: Unsubscribe): void {
    const reasonCodes: number[] = [];
    const problems: string[] = [];
    const writesBefore = this.#session.store.writes;
    for (const filter of filters) {
      const problem = filterProblem(filter);
      if (this.#replays.end(filter) || this.#sessions.unsubscribe(this.#session, filter)) {
        reasonCodes.push(ReasonCode.success);
      } else if (problem === undefined) {
        reasonCodes.push(ReasonCode.noSubscriptionExisted);
      } else {
        reasonCodes.push(ReasonCode.invalidTopicFilter);
        problems.push(`filter ${quoted(filter)}: ${problem}`);
      }
    }
    const unsuback = { type: PacketType.unsuback, packetId, reasonCodes, properties: NO_PROPERTIES };
    const bytes = this.#answers.encode(unsuback, problems.length > 0 ? problems.join('; ') : undefined);
    this.#answers.inOrder(bytes, this.#receiptOfWrites(writesBefore), (problem) => {
      // It will ask again; there is no code for this before version 5.
      if (problem !== undefined) this.#refuse(problem);
    });
  }

  /** Sends what waits, live messages first, then retained ones and those of replays, as many as the client takes now. */
  feed(): void {
    let left = retainedPerStep;
    while (this.#feeds.length > 0 && left-- > 0 && this.#hasRoom()) {
      const { messages, match } = this.#feeds[0]!;
      const { value, done } = messages.next();
      if (done) this.#feeds.shift();
      else this.#session.take(value, match, undefined, true);
    }
    this.#session.pump();
    this.#replays.pump();
  }

  stop(): void {
    this.#feeds = [];
    this.#replays.endAll();
  }

  #receiptOfWrites(writesBefore: number): Receipt {
    if (this.#session.store.writes === writesBefore) return SAFE;
    const receipt = new Receipt();
    this.#answers.holdUntilStored(receipt);
    return receipt;
  }

  #hasRoom(): boolean {
    return (
      this.#channel.waitingBytes < sessionSendAheadBytes && this.#session.outbox.waiting < retainedPerStep
    );
  }

  /** @throws BrokerError `invalid-filter`, `not-authorized`, `too-many-subscriptions`. */
  #subscribe(
    { filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest,
    isNew: boolean,
    identifier: number | undefined,
  ): Feed | undefined {
    this.#broker.checkMaySubscribe(this.#identity, filter);
    const session = this.#session;
    if (isNew && session.subscriptionCount >= maxSubscriptionsPerClient) {
      throw new BrokerError('too-many-subscriptions', `${session.subscriptionCount} filters are held`);
    }
    const subscription = { filter, qos, noLocal, retainAsPublished, identifier };
    const member = session.subscribe(subscription);
    if (isNew) this.#broker.attach(filter, member);
    // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]; a shared subscription gets none (MQTT 5, section 4.8.2).
    const isWanted = retainHandling === 0 || (retainHandling === 1 && isNew);
    if (!isWanted || parseShared(filter) !== undefined) return undefined;
    return { messages: this.#broker.retained.find(filter), match: join([subscription])! };
  }

  /** The store could not keep what SUBACK would have promised: nothing of the request is granted. */
  #takeBack(suback: Suback, added: readonly string[], refusal: BrokerError): void {
    for (const filter of added) this.#sessions.unsubscribe(this.#session, filter);
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

  #logRefusal(refusal: BrokerError): void {
    const { clientId, remote } = this.#identity;
    const fields = { client: quoted(clientId), remote, code: refusal.code, reason: refusal.message };
    this.#log.info(fields, 'a subscription was refused');
  }
}
