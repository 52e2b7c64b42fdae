import { type Frame, FrameType } from '../../internal/protocol/frame/frame.ts';
import type { Position } from '../../internal/protocol/frame/positions.ts';
import type { Agreement } from './agreement.ts';
import {
  ClosedError,
  ConnectionLostError,
  type RefusedError,
  TinymqError,
  UnsupportedError,
} from './errors.ts';
import { type FilterEntry, Filters } from './filters.ts';
import type { Message, MessageHandler } from './message.ts';
import { isOfSubscribe } from './refusals.ts';
import { type Reader, Replays, resumption, subscribeFrame } from './replays.ts';
import { Requests } from './requests.ts';
import { type SubscribeOptions, type SubscriptionParts, subscriptionParts } from './subscribe-options.ts';
import { Subscription, type SubscriptionOwner } from './subscription.ts';
import { within } from './timing.ts';
import type { Platform } from './wire.ts';

/** What the subscriptions need from their client. */
export interface SubscriptionsHost extends Omit<SubscriptionOwner, 'release'> {
  isConnected(): boolean;
  request(type: FrameType, topic: string): void;
  send(frame: Uint8Array): void;
  /** What the broker agreed to, on the last connection where there is none now; undefined before the first. */
  agreement(): Agreement | undefined;
  /** Waits for an answer of the broker. */
  answer<T>(answer: Promise<T>): Promise<T>;
  /** Who wants the messages of a topic is to be asked again. */
  handlersChanged(): void;
  /** Something that belongs to no call. */
  failed(error: unknown): void;
}

export interface SubscriptionsSettings {
  clientId: string;
  requestTimeoutMs: number;
  /** Whether a connection that breaks off is opened again. */
  reconnects: boolean;
}

/**
 * What a client has subscribed to. Invariants:
 *
 * - The broker knows a filter as long as somebody has a subscription to it: it is asked for with the first and taken
 *   back with the last. On a new connection all of them are asked for again, ahead of everything else.
 * - A refusal ends all subscriptions to its filter, and is told once: to those who await the answer, otherwise to
 *   those who iterate, and as an error of the client.
 * - A replay goes on where it was, on a broker that tells positions; others let it begin again.
 */
export class Subscriptions {
  readonly #settings: SubscriptionsSettings;
  readonly #host: SubscriptionsHost;
  readonly #filters = new Filters();
  readonly #replays = new Replays();
  readonly #unsubscribes: Requests;
  /** A refusal that was for a SUBSCRIBE or for a PUBLISH; asking again will tell. */
  #unclearRefusal: RefusedError | undefined;

  constructor(settings: SubscriptionsSettings, platform: Platform, host: SubscriptionsHost) {
    this.#settings = settings;
    this.#host = host;
    this.#unsubscribes = new Requests('UNSUBACK', settings.requestTimeoutMs, platform);
  }

  /** @throws RefusedError, TimeoutError, ClosedError, or the reason of the signal. */
  async add(
    filter: string,
    handler: ((message: Message) => unknown) | undefined,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const { signal, queueSize, ack } = options;
    const entry = this.#entryFor(filter, subscriptionParts(options));
    const owner: SubscriptionOwner = {
      release: (released) => this.#release(released, entry),
      pause: this.#host.pause,
      resume: this.#host.resume,
      hasMessageHandler: this.#host.hasMessageHandler,
    };
    const subscription = new Subscription(filter, owner, handler, { queueSize, isManual: ack === 'manual' });
    entry.subscriptions.add(subscription);
    this.#host.handlersChanged();
    try {
      const { requestTimeoutMs } = this.#settings;
      await this.#host.answer(within(entry.acknowledged.promise, 'no SUBACK came', requestTimeoutMs, signal));
    } catch (error) {
      subscription.end();
      this.#release(subscription, entry).catch(() => {});
      throw error;
    }
    this.#endWith(signal, subscription);
    return subscription;
  }

  /** Ends every subscription to a filter; resolves when the broker has acknowledged it. */
  async removeAll(filter: string): Promise<void> {
    const entry = this.#filters.get(filter);
    if (entry === undefined) return;
    await Promise.all([...entry.subscriptions].map((subscription) => subscription.unsubscribe()));
  }

  /** Adds the handlers of all subscriptions that a topic matches, without those of replays. */
  collectHandlers(topic: string, handlers: MessageHandler[]): void {
    this.#filters.collectHandlers(topic, handlers);
  }

  /** Which replay a broker means by this number; undefined where it has ended. */
  readerOf(number: number): Reader | undefined {
    return this.#replays.find(number);
  }

  /** Which replay a message is of that was given back, and comes by itself now. */
  readerAt(place: Pick<Position, 'log' | 'partition' | 'offset'>): Reader | undefined {
    return this.#replays.findAt(place);
  }

  /**
   * The broker let the client in, again or for the first time.
   *
   * @param agreed the extensions that it knows.
   * @returns what asks it for the filters again.
   */
  restore(agreed: Agreement): Uint8Array[] {
    this.#replays.reset();
    const entries = this.#filters.restore(agreed.has('positions'));
    this.#host.handlersChanged();
    return entries.flatMap((entry) => {
      const missing = agreed.missing(entry.parts.needs);
      if (missing === undefined) return this.#requestsAgain(entry);
      const refusal = new UnsupportedError(missing, 'the subscription', entry.filter);
      if (!this.#endRefused(entry, refusal)) this.#host.failed(refusal);
      return [];
    });
  }

  /** The connection broke off; with it every filter has gone that the broker was asked to forget. */
  lost(reason: ConnectionLostError): void {
    this.#unsubscribes.failAll(reason);
  }

  /** SUBACK. */
  acknowledged(filter: string): void {
    this.#filters.acknowledge(filter);
    this.#clearSuspicion();
  }

  /** UNSUBACK. */
  released(filter: string): void {
    this.#unsubscribes.answer(filter);
  }

  /** The broker reads a log for a replay. One that is ending is not confused with one that has the same filter. */
  positionTold({ topic, payload }: Frame): void {
    const entry = this.#filters.get(topic);
    if (entry !== undefined && !this.#unsubscribes.isWaiting(topic)) this.#replays.add(entry, payload);
  }

  /** The broker refused a filter, or took back what it had granted, and leaves the connection as it is. */
  refused(refusal: RefusedError): void {
    const entry = this.#filters.get(refusal.topic ?? '');
    const isReported = entry !== undefined && this.#endRefused(entry, refusal);
    if (!isReported) this.#host.failed(refusal);
  }

  /**
   * Whether a refusal that ended the connection is somebody's who subscribed, and needs no other report. The broker
   * answers in order, so what it refused is the oldest request that it has not acknowledged. `not-authorized` may as
   * well be for a message that was sent before: then the filter is asked for again first, ahead of all messages.
   */
  takeRefusal(refusal: RefusedError): boolean {
    const entry = this.#filters.oldestUnacknowledged();
    if (entry === undefined) return false;
    const isOurs = isOfSubscribe(refusal);
    if (isOurs === 'no') return false;
    if (isOurs === 'perhaps' && !entry.isRestored && this.#settings.reconnects) {
      this.#unclearRefusal = refusal;
      return true;
    }
    this.#unclearRefusal = undefined;
    return this.#endRefused(entry, refusal);
  }

  /** The client is closed; with an error where it did not close itself. */
  shut(error: Error | undefined): void {
    const reason = error ?? new ClosedError();
    this.#unsubscribes.failAll(new ClosedError());
    for (const { acknowledged, subscriptions } of this.#filters.clear()) {
      acknowledged.reject(reason);
      for (const subscription of subscriptions) subscription.end(error);
    }
    this.#host.handlersChanged();
  }

  /** The broker knows a filter once, so what is asked for beside it is the same for all. @throws TinymqError, UnsupportedError. */
  #entryFor(filter: string, parts: SubscriptionParts): FilterEntry {
    const known = this.#filters.get(filter);
    if (known === undefined) return this.#addFilter(filter, parts);
    if (JSON.stringify(known.parts) === JSON.stringify(parts)) return known;
    throw new TinymqError('invalid-option', `'${filter}' is subscribed to with other options already`);
  }

  #addFilter(filter: string, parts: SubscriptionParts): FilterEntry {
    this.#host.agreement()?.need(parts.needs, 'the subscription');
    const entry = this.#filters.add(filter, parts);
    if (this.#host.isConnected()) this.#host.send(subscribeFrame(entry, this.#settings.clientId));
    return entry;
  }

  /** What asks for a filter on a new connection. */
  #requestsAgain(entry: FilterEntry): Uint8Array[] {
    if (entry.hasPositions) return [...resumption(entry, this.#settings.clientId)];
    return [subscribeFrame(entry, this.#settings.clientId)];
  }

  /** The broker is told when nobody is left who wants the filter. */
  async #release(subscription: Subscription, entry: FilterEntry): Promise<void> {
    const { filter, subscriptions } = entry;
    if (!subscriptions.delete(subscription)) return;
    this.#host.handlersChanged();
    if (subscriptions.size > 0 || this.#filters.get(filter) !== entry) return;
    this.#filters.delete(entry);
    this.#replays.forget(entry);
    if (!this.#host.isConnected()) return;
    const answered = this.#unsubscribes.add(filter);
    this.#host.request(FrameType.unsubscribe, filter);
    await this.#host.answer(answered).catch((error) => {
      // With the connection the subscription has ended too.
      if (!(error instanceof ConnectionLostError) && !(error instanceof ClosedError)) throw error;
    });
  }

  /** Ends all subscriptions to a filter; whether somebody who awaits the answer is told by that. */
  #endRefused(entry: FilterEntry, refusal: RefusedError): boolean {
    this.#filters.delete(entry);
    this.#replays.forget(entry);
    this.#host.handlersChanged();
    const isAwaited = !entry.wasAcknowledged;
    entry.acknowledged.reject(refusal);
    for (const subscription of entry.subscriptions) subscription.end(isAwaited ? undefined : refusal);
    return isAwaited;
  }

  /** A filter was accepted when it was asked for again, so it was a message that had been refused. */
  #clearSuspicion(): void {
    const refusal = this.#unclearRefusal;
    if (refusal === undefined || this.#filters.oldestUnacknowledged()?.isRestored) return;
    this.#unclearRefusal = undefined;
    this.#host.failed(refusal);
  }

  /** Ends a subscription when a signal says so. */
  #endWith(signal: AbortSignal | undefined, subscription: Subscription): void {
    if (signal === undefined) return;
    const end = () => void subscription.unsubscribe().catch((error) => this.#host.failed(error));
    if (signal.aborted) end();
    else subscription.endWith(signal, end);
  }
}
