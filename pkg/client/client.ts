import { shownAddress } from '../../internal/lib/shown-address.ts';
import { formatCredentials } from '../../internal/protocol/frame/credentials.ts';
import { formatExtensions, parseExtensions } from '../../internal/protocol/frame/extensions.ts';
import {
  encodeFrame,
  type Frame,
  FrameType,
  MAX_CLIENT_ID_BYTES,
} from '../../internal/protocol/frame/frame.ts';
import { filterProblem, replayFilter, reservedTopicProblem, topicNameProblem } from '../../internal/topic.ts';
import { urlOf } from './address.ts';
import { credentialsOf } from './credentials.ts';
import { Emitter } from './emitter.ts';
import {
  ClosedError,
  ConnectError,
  ConnectionLostError,
  InvalidTopicError,
  ProtocolError,
  RefusedError,
  TimeoutError,
  TinymqError,
} from './errors.ts';
import { type FilterEntry, Filters } from './filters.ts';
import { sayGoodbye } from './goodbye.ts';
import { Inbox } from './inbox.ts';
import { type IntervalTimers, KeepAlive } from './keep-alive.ts';
import type { Message, MessageHandler } from './message.ts';
import {
  type ConnectOptions,
  checkNames,
  checkNumbers,
  type OptionNames,
  reconnectDelayMs,
  type Settings,
  settingsOf,
} from './options.ts';
import { Outbox } from './outbox.ts';
import { isOfSubscribe, isPermanent, isTakenOver } from './refusals.ts';
import { Replays, resumption } from './replays.ts';
import { type Deferred, defer, Requests } from './requests.ts';
import { Subscription } from './subscription.ts';
import { sleep, timerMs, unlessAborted, within } from './timing.ts';
import { NO_HANDLER, type Platform, type Wire } from './wire.ts';

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The broker let the client in, for the first time or again. */
  connect: undefined;
  /** The connection ended, for this reason. */
  disconnect: Error;
  /** The client will try again. */
  reconnecting: { attempt: number; delayMs: number; cause: Error };
  /**
   * Something went wrong that belongs to no call: a handler threw, or the broker refused a message, as a
   * {@link RefusedError} that names its topic; or it ended a subscription that it had granted.
   */
  error: unknown;
  /** The client is closed for good; with an error where it did not close itself. */
  close: Error | undefined;
  /** A message, once, however many subscriptions it matches. */
  message: Message;
}

export type ClientState = 'new' | 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

/** How a client subscribes. */
export interface SubscribeOptions {
  /** Aborts the request; afterwards ends the subscription. */
  signal?: AbortSignal;
  /** Messages that an iterator may be behind before the client stops reading. Default: 1,000. */
  queueSize?: number;
  /**
   * Begins with what the broker's logs have kept, then goes on live without a gap: from the `earliest` message, an
   * offset, a time ago such as `-1h`, a time, or `latest`. Only topics that the broker keeps are read (`broker -keep`).
   * After a lost connection it goes on behind the last message of each log. Its messages go to its own handlers, and
   * have an `offset`.
   */
  from?: ReplayFrom;
}

/** Where a subscription begins to read what a broker has kept. */
export type ReplayFrom = 'earliest' | 'latest' | number | Date | `-${number}${'s' | 'm' | 'h' | 'd'}`;

const SUBSCRIBE_OPTIONS: OptionNames<SubscribeOptions> = { signal: true, queueSize: true, from: true };

/** A WebSocket message is the largest frame, or many small ones that the broker sends at once. */
const CHUNK_SLACK_BYTES = 64 * 1024 * 1024;
const NO_PAYLOAD = new Uint8Array(0);
/** A test that puts a minute forward by fake timers has not waited that long for the broker. */
const OWN_TIMERS: IntervalTimers = {
  setInterval: globalThis.setInterval.bind(globalThis),
  clearInterval: globalThis.clearInterval.bind(globalThis),
};
/** What this client can agree on with a broker. One that knows none of it passes it over. */
const OFFER = formatExtensions(['refusals', 'positions']);

/**
 * A client of a tinymq broker. `connect()` makes one that is connected; the original's style works too:
 *
 *     const client = new Client({ network: 'tcp', address: 'localhost:1883', clientId: 'kitchen' });
 *     client.setMessageHandler((topic, payload) => …);
 *     await client.connect();
 *
 * A connection that breaks off is opened again and its subscriptions are restored. PUBLISH is delivered at most
 * once: what was on its way when a connection broke is lost, what is published meanwhile is sent afterwards.
 */
export class BaseClient extends Emitter<ClientEvents> implements AsyncDisposable {
  /** Who this client is for the broker. */
  readonly clientId: string;
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #filters = new Filters();
  readonly #replays = new Replays();
  readonly #pings: Requests;
  readonly #unsubscribes: Requests;
  readonly #keepAlive: KeepAlive;

  #state: ClientState = 'new';
  /** Whether the call of {@link connect} is still under way. */
  #isConnecting = false;
  #wire: Wire | undefined;
  #handshake: Deferred<void> | undefined;
  #refusal: RefusedError | undefined;
  #protocolError: ProtocolError | undefined;
  #isBlocked = false;
  #isFlushScheduled = false;
  #room: Deferred<true> | undefined;
  #readingPauses = 0;
  /** Answers that somebody awaits; they are only seen by reading on. */
  #awaitedAnswers = 0;
  #isReading = true;
  /** A refusal that was for a SUBSCRIBE or for a PUBLISH; asking again will tell. */
  #unclearRefusal: RefusedError | undefined;
  #connectedAtMs = 0;
  /** Connections in a row that did not last. */
  #shortConnections = 0;
  #messageHandler: MessageHandler | undefined;
  #closing: Promise<void> | undefined;
  readonly #cancel = new AbortController();
  /**
   * @internal
   * @throws TinymqError `invalid-address`, `invalid-client-id`, `invalid-option`.
   */
  constructor(options: ConnectOptions, platform: Platform) {
    super();
    this.#settings = settingsOf(options);
    this.#platform = platform;
    this.clientId = this.#settings.clientId;
    checkClientId(this.clientId);
    this.#outbox = new Outbox(this.clientId, checkTopic);
    this.#inbox = new Inbox(this.#settings.maxMessageBytes, {
      control: (frame) => this.#takeControl(frame),
      handlersOf: (topic) => this.#handlersOf(topic),
      readerOf: (number) => this.#replays.find(number),
      handlersOfReplay: ({ entry }) => this.#withHandlersOfAll(handlersOf(entry)),
      failed: (error) => this.emit('error', error),
    });
    this.#pings = new Requests('PONG', this.#settings.requestTimeoutMs, platform);
    this.#unsubscribes = new Requests('UNSUBACK', this.#settings.requestTimeoutMs, platform);
    this.#keepAlive = new KeepAlive(
      this.#settings.keepAliveMs,
      platform.unref,
      {
        isReading: () => this.#isReading,
        ask: () => {
          this.#pings.add();
          this.#request(FrameType.ping, '');
        },
        silent: () => this.#onSilence(),
      },
      OWN_TIMERS,
    );
  }

  /** Where the client is in its life. */
  get state(): ClientState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#state === 'connected';
  }

  /**
   * Opens the connection; resolves when the broker has let the client in.
   *
   * @throws ConnectError, RefusedError, TimeoutError, or the reason of the signal that aborted it.
   */
  async connect(): Promise<this> {
    if (this.#state !== 'new')
      throw new TinymqError('already-connected', 'connect is called once for each client');
    const { signal } = this.#settings;
    signal?.throwIfAborted();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#state = 'connecting';
    this.#isConnecting = true;
    try {
      await this.#attemptOrRetry();
    } finally {
      this.#isConnecting = false;
    }
    return this;
  }

  /**
   * Sends a message. Not acknowledged; {@link ping} tells when everything before it has arrived. A message that the
   * broker refuses is told by an `error` event, before that ping is answered; those behind it are delivered.
   *
   * @returns `true`: go on. Otherwise a promise that resolves when there is room again: more than
   *   `highWaterMarkBytes` wait to be sent. Awaiting every result is enough to never grow without bound.
   * @throws InvalidTopicError, ClosedError, TinymqError `invalid-payload`, `message-too-large`.
   */
  publish(topic: string, payload: string | Uint8Array): true | Promise<true> {
    if (this.#state === 'new' || this.#state === 'closing' || this.#state === 'closed') throw this.#notOpen();
    this.#outbox.add(topic, payload);
    if (this.#outbox.hasFullSlab && this.#state === 'connected' && !this.#isBlocked) {
      this.#send(this.#outbox.takeFull());
    }
    if (!this.#isFlushScheduled) this.#scheduleFlush();
    return this.#outbox.bytes < this.#settings.highWaterMarkBytes ? true : this.#roomAgain();
  }

  /**
   * Resolves when `publish` would not say to wait.
   *
   * @throws ClosedError, or the error that closed the client.
   */
  async drained(): Promise<void> {
    if (this.#state === 'new' || this.#state === 'closed') throw this.#notOpen();
    if (this.#outbox.bytes >= this.#settings.highWaterMarkBytes) await this.#roomAgain();
  }

  /**
   * Subscribes to a filter, with a handler or to be iterated. Resolves when the broker has acknowledged it. Several
   * subscriptions may share a filter; the broker sends each message once, and every handler whose filter matches is
   * called.
   *
   * @throws InvalidTopicError, RefusedError, TimeoutError, ClosedError, TypeError where the handler is no function,
   *   or the reason of the signal.
   */
  async subscribe(
    wanted: string,
    handler?: (message: Message) => unknown,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    if (handler !== undefined && typeof handler !== 'function') {
      throw new TypeError('a handler is a function; options come third');
    }
    checkNames(options, SUBSCRIBE_OPTIONS, 'subscribe');
    checkNumbers(options, { queueSize: 1 });
    const problem = filterProblem(wanted);
    if (problem !== undefined) throw new InvalidTopicError('filter', wanted, problem);
    const filter = options.from === undefined ? wanted : replayFilter(startOf(options.from), wanted);
    if (this.#state === 'new' || this.#state === 'closing' || this.#state === 'closed') throw this.#notOpen();
    options.signal?.throwIfAborted();
    const entry = this.#filters.get(filter) ?? this.#addFilter(filter);
    const subscription = new Subscription(
      filter,
      {
        release: (released) => this.#release(released, entry),
        pause: () => this.pause(),
        resume: () => this.resume(),
        hasMessageHandler: () => this.#messageHandler !== undefined || this.listenersOf('message').length > 0,
      },
      handler,
      options.queueSize,
    );
    entry.subscriptions.add(subscription);
    this.#inbox.handlersChanged();
    try {
      const { requestTimeoutMs } = this.#settings;
      const answered = within(entry.acknowledged.promise, 'no SUBACK came', requestTimeoutMs, options.signal);
      await this.#answer(answered);
    } catch (error) {
      subscription.end();
      this.#release(subscription, entry).catch(() => {});
      throw error;
    }
    this.#endWith(options.signal, subscription);
    return subscription;
  }

  /** Ends every subscription to a filter; resolves when the broker has acknowledged it. */
  async unsubscribe(filter: string): Promise<void> {
    const entry = this.#filters.get(filter);
    if (entry === undefined) return;
    await Promise.all([...entry.subscriptions].map((subscription) => subscription.unsubscribe()));
  }

  /**
   * Asks the broker for a sign of life. Everything that was published before has then arrived there.
   *
   * @returns the round trip in milliseconds.
   * @throws TimeoutError, ConnectionLostError, ClosedError.
   */
  async ping(): Promise<number> {
    if (this.#state !== 'connected') throw this.#notOpen();
    const before = performance.now();
    const answered = this.#pings.add();
    this.#request(FrameType.ping, '');
    await this.#answer(answered);
    return performance.now() - before;
  }

  /** Calls `handler` for every message, beside the handlers of the subscriptions. */
  setMessageHandler(handler: (topic: string, payload: Uint8Array, clientId: string) => unknown): void {
    this.#messageHandler = (message) => handler(message.topic, message.payload, message.clientId);
    this.#inbox.handlersChanged();
  }

  override on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): this {
    super.on(name, listener);
    this.#inbox.handlersChanged();
    return this;
  }

  override off<Name extends keyof ClientEvents>(
    name: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): this {
    super.off(name, listener);
    this.#inbox.handlersChanged();
    return this;
  }

  /**
   * Stops receiving, so that the broker has to wait; it then treats this client as a slow subscriber. Counted:
   * {@link resume} as often as this. While an answer is awaited, to {@link subscribe} or {@link ping}, the client
   * reads up to it. A browser cannot stop and goes on receiving.
   */
  pause(): void {
    this.#readingPauses++;
    this.#readOrPause();
  }

  /** Goes on receiving. */
  resume(): void {
    if (this.#readingPauses > 0) this.#readingPauses--;
    this.#readOrPause();
  }

  /**
   * Sends what was published, says goodbye and closes. Can be called at any time and more than once. What was
   * published while there was no connection is lost if there is none now.
   *
   * @throws TimeoutError where the broker does not take what was published within `requestTimeoutMs`,
   *   ConnectionLostError where the connection breaks off before. The client is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The original's name for {@link close}. */
  disconnect(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #attemptOrRetry(): Promise<void> {
    try {
      await this.#attempt().catch((error) => {
        const mayRetry = this.#settings.connectRetry && !isPermanent(error) && !this.#cancel.signal.aborted;
        if (!mayRetry || this.#settings.reconnect === undefined) throw error;
        return this.#reconnect(error);
      });
    } catch (error) {
      this.#shut(error as Error);
      throw error;
    }
  }

  async #attempt(): Promise<void> {
    const { address, tls, connectTimeoutMs } = this.#settings;
    const abort = new AbortController();
    const onCancel = () => abort.abort(this.#cancel.signal.reason);
    this.#cancel.signal.addEventListener('abort', onCancel, { once: true });
    if (this.#cancel.signal.aborted) onCancel();
    const timer = setTimeout(() => {
      abort.abort(
        new TimeoutError(`${shownAddress(urlOf(address))} did not let the client in`, connectTimeoutMs),
      );
    }, timerMs(connectTimeoutMs));
    try {
      const offer = await this.#offer(abort.signal);
      const wire = await this.#open(tls, abort.signal);
      await this.#shakeHands(wire, offer, abort.signal);
    } finally {
      clearTimeout(timer);
      this.#cancel.signal.removeEventListener('abort', onCancel);
    }
  }

  /** What the client offers and shows of itself on a new connection. */
  async #offer(signal: AbortSignal): Promise<string> {
    try {
      const shown = await unlessAborted(credentialsOf(this.#settings.credentials), signal);
      if (shown === undefined) return OFFER;
      return `${OFFER} ${formatExtensions(['credentials'])} ${formatCredentials(shown)}`;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = `there are no credentials to show: ${(error as Error).message}`;
      throw new ConnectError(urlOf(this.#settings.address), why, error);
    }
  }

  async #open(tls: Settings['tls'], signal: AbortSignal): Promise<Wire> {
    try {
      return await this.#platform.open(
        this.#settings.address,
        tls,
        signal,
        this.#settings.maxMessageBytes + CHUNK_SLACK_BYTES,
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new ConnectError(urlOf(this.#settings.address), (error as Error).message, error);
    }
  }

  async #shakeHands(wire: Wire, offer: string, signal: AbortSignal): Promise<void> {
    const handshake = defer<void>();
    const onAbort = () => handshake.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#inbox.reset();
    this.#refusal = undefined;
    this.#protocolError = undefined;
    this.#isBlocked = false;
    this.#isReading = true;
    this.#wire = wire;
    this.#handshake = handshake;
    wire.handler = {
      bytes: (chunk) => this.#takeBytes(wire, chunk),
      drained: () => {
        this.#isBlocked = false;
        this.#flush();
      },
      closed: (error) => this.#onWireClosed(error),
    };
    wire.write([encodeFrame(FrameType.connect, '', offer, this.clientId)]);
    try {
      await handshake.promise;
    } catch (error) {
      wire.handler = NO_HANDLER;
      wire.destroy();
      this.#wire = undefined;
      throw error;
    } finally {
      if (this.#handshake === handshake) this.#handshake = undefined;
      signal.removeEventListener('abort', onAbort);
    }
  }

  #takeBytes(wire: Wire, chunk: Uint8Array): void {
    this.#keepAlive.heard();
    try {
      this.#inbox.push(chunk);
    } catch (error) {
      this.#protocolError = new ProtocolError(
        `the broker sent no frames: ${(error as Error).message}`,
        error,
      );
      wire.destroy();
    }
  }

  #takeControl(frame: Frame): void {
    switch (frame.type) {
      case FrameType.connack:
        if (this.#handshake !== undefined) this.#becomeConnected(frame.payload);
        return;
      case FrameType.position:
        this.#positionTold(frame);
        return;
      case FrameType.suback:
        this.#filters.acknowledge(frame.topic);
        this.#clearSuspicion();
        return;
      case FrameType.unsuback:
        this.#unsubscribes.answer(frame.topic);
        return;
      case FrameType.pong:
        this.#pings.answer('');
        return;
      case FrameType.publishRefused:
        this.emit('error', refusalIn(frame));
        return;
      case FrameType.subscribeRefused:
        this.#subscribeRefused(refusalIn(frame));
        return;
      case FrameType.disconnect:
        this.#refusal = refusalIn(frame);
        this.#handshake?.reject(this.#refusal);
        // Nothing more comes and nothing more is read there.
        this.#wire?.destroy();
    }
  }

  /** Before anything else the broker learns the filters again, then it gets what was published meanwhile. */
  #becomeConnected(agreed: Uint8Array): void {
    const handshake = this.#handshake!;
    this.#handshake = undefined;
    this.#state = 'connected';
    this.#connectedAtMs = performance.now();
    this.#keepAlive.start();
    this.#replays.reset();
    const entries = this.#filters.restore(parseExtensions(agreed).has('positions'));
    this.#inbox.handlersChanged();
    if (entries.length > 0) this.#send(entries.flatMap((entry) => this.#requestsAgain(entry)));
    handshake.resolve();
    this.#flush();
    this.#readOrPause();
    this.emit('connect', undefined);
  }

  /** What asks for a filter on a new connection. */
  #requestsAgain(entry: FilterEntry): Uint8Array[] {
    if (entry.hasPositions) return [...resumption(entry, this.clientId)];
    return [this.#frame(FrameType.subscribe, entry.filter)];
  }

  /** The broker reads a log for a replay. One that is ending is not confused with one that has the same filter. */
  #positionTold({ topic, payload }: Frame): void {
    const entry = this.#filters.get(topic);
    if (entry !== undefined && !this.#unsubscribes.isWaiting(topic)) this.#replays.add(entry, payload);
  }

  #handlersOf(topic: string): readonly MessageHandler[] {
    const handlers: MessageHandler[] = [];
    this.#filters.collectHandlers(topic, handlers);
    return this.#withHandlersOfAll(handlers);
  }

  #withHandlersOfAll(handlers: MessageHandler[]): readonly MessageHandler[] {
    if (this.#messageHandler !== undefined) handlers.push(this.#messageHandler);
    handlers.push(...this.listenersOf('message'));
    return handlers;
  }

  #addFilter(filter: string): FilterEntry {
    if (this.#state === 'connected') this.#request(FrameType.subscribe, filter);
    return this.#filters.add(filter);
  }

  /** The broker is told when nobody is left who wants the filter. */
  async #release(subscription: Subscription, entry: FilterEntry): Promise<void> {
    const { filter, subscriptions } = entry;
    if (!subscriptions.delete(subscription)) return;
    this.#inbox.handlersChanged();
    if (subscriptions.size > 0 || this.#filters.get(filter) !== entry) return;
    this.#filters.delete(entry);
    this.#replays.forget(entry);
    if (this.#state !== 'connected') return;
    const answered = this.#unsubscribes.add(filter);
    this.#request(FrameType.unsubscribe, filter);
    await this.#answer(answered).catch((error) => {
      // With the connection the subscription has ended too.
      if (!(error instanceof ConnectionLostError) && !(error instanceof ClosedError)) throw error;
    });
  }

  #request(type: FrameType, topic: string): void {
    this.#outbox.addRequest(this.#frame(type, topic));
    if (!this.#isFlushScheduled) this.#scheduleFlush();
  }

  #frame(type: FrameType, topic: string): Uint8Array {
    return encodeFrame(type, topic, NO_PAYLOAD, this.clientId);
  }

  #scheduleFlush(): void {
    this.#isFlushScheduled = true;
    this.#platform.defer(this.#runScheduledFlush);
  }

  readonly #runScheduledFlush = (): void => {
    this.#isFlushScheduled = false;
    this.#flush();
  };

  #flush(): void {
    const isOpen = this.#state === 'connected' || this.#state === 'closing';
    if (!isOpen || this.#wire === undefined || this.#isBlocked) return;
    if (this.#outbox.bytes > 0) this.#send(this.#outbox.take());
    if (this.#room === undefined) return;
    this.#room.resolve(true);
    this.#room = undefined;
  }

  #roomAgain(): Promise<true> {
    this.#room ??= defer<true>();
    return this.#room.promise;
  }

  #send(chunks: Uint8Array[]): void {
    this.#isBlocked = !this.#wire!.write(chunks);
    this.#keepAlive.sent();
  }

  /** Reads while nobody wants to wait, and as long as an answer is awaited. */
  #readOrPause(): void {
    const isReading = this.#readingPauses === 0 || this.#awaitedAnswers > 0 || this.#state === 'closing';
    if (this.#state === 'connecting' || this.#state === 'reconnecting' || isReading === this.#isReading)
      return;
    this.#isReading = isReading;
    if (isReading) this.#wire?.resume();
    else this.#wire?.pause();
  }

  async #answer<T>(answer: Promise<T>): Promise<T> {
    this.#awaitedAnswers++;
    this.#readOrPause();
    try {
      return await answer;
    } finally {
      this.#awaitedAnswers--;
      this.#readOrPause();
    }
  }

  #onSilence(): void {
    const { keepAliveMs } = this.#settings;
    this.#protocolError = new ProtocolError(`the broker did not answer a PING within ${keepAliveMs} ms`);
    this.#wire?.destroy();
  }

  #onWireClosed(error: Error | undefined): void {
    const url = urlOf(this.#settings.address);
    const reason = this.#refusal ?? this.#protocolError;
    if (this.#handshake !== undefined) {
      const why = error?.message ?? 'the broker closed the connection without an answer';
      this.#handshake.reject(reason ?? new ConnectError(url, why, error));
      return;
    }
    this.#wire = undefined;
    this.#keepAlive.stop();
    this.#outbox.dropRequests();
    const lost = reason ?? new ConnectionLostError(url, error?.message ?? 'the broker closed it', error);
    this.#pings.failAll(lost);
    this.#unsubscribes.failAll(new ConnectionLostError(url, lost.message));
    if (this.#state === 'closed') return;
    const refusal = isPermanent(lost) ? lost : undefined;
    if (this.#state === 'closing') {
      if (refusal !== undefined) this.emit('error', refusal);
      return;
    }
    this.#state = 'reconnecting';
    const isReported = refusal !== undefined && this.#refuseSubscribe(refusal);
    this.emit('disconnect', lost);
    if (refusal !== undefined && !isReported) this.emit('error', refusal);
    this.#afterLoss(lost);
  }

  #afterLoss(lost: Error): void {
    // A listener may have closed the client.
    if (this.#state !== 'reconnecting') return;
    if (isTakenOver(lost) || this.#settings.reconnect === undefined) {
      this.#shut(lost);
      return;
    }
    const lastedMs = performance.now() - this.#connectedAtMs;
    const hasLasted = lastedMs >= this.#settings.reconnect.maxDelayMs;
    this.#shortConnections = hasLasted ? 0 : this.#shortConnections + 1;
    this.#reconnect(lost).catch(() => {});
  }

  /**
   * Whether a refusal is somebody's who subscribed, and needs no other report. The broker answers in order, so what
   * it refused is the oldest request that it has not acknowledged. `not-authorized` may as well be for a message
   * that was sent before: then the filter is asked for again first, ahead of all messages.
   */
  #refuseSubscribe(refusal: RefusedError): boolean {
    const entry = this.#filters.oldestUnacknowledged();
    if (entry === undefined) return false;
    const isOurs = isOfSubscribe(refusal);
    if (isOurs === 'no') return false;
    if (isOurs === 'perhaps' && !entry.isRestored && this.#settings.reconnect !== undefined) {
      this.#unclearRefusal = refusal;
      return true;
    }
    this.#unclearRefusal = undefined;
    return this.#endRefused(entry, refusal);
  }

  /** The broker refused a filter, or took back what it had granted, and leaves the connection as it is. */
  #subscribeRefused(refusal: RefusedError): void {
    const entry = this.#filters.get(refusal.topic ?? '');
    const isReported = entry !== undefined && this.#endRefused(entry, refusal);
    if (!isReported) this.emit('error', refusal);
  }

  /** Ends all subscriptions to a filter; whether somebody who awaits the answer is told by that. */
  #endRefused(entry: FilterEntry, refusal: RefusedError): boolean {
    this.#filters.delete(entry);
    this.#replays.forget(entry);
    this.#inbox.handlersChanged();
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
    this.emit('error', refusal);
  }

  async #reconnect(cause: Error): Promise<void> {
    const settings = this.#settings.reconnect!;
    let lastError = cause;
    for (let attempt = 1; attempt <= settings.maxAttempts; attempt++) {
      this.#state = 'reconnecting';
      const delayMs = reconnectDelayMs(attempt + Math.max(0, this.#shortConnections - 1), settings);
      this.emit('reconnecting', { attempt, delayMs, cause: lastError });
      await sleep(delayMs, this.#cancel.signal);
      if (this.#cancel.signal.aborted) throw this.#cancel.signal.reason;
      try {
        await this.#attempt();
        return;
      } catch (error) {
        lastError = error as Error;
        if (this.#cancel.signal.aborted) throw error;
        if (isPermanent(error)) break;
      }
    }
    this.#shut(lastError);
    throw lastError;
  }

  async #close(): Promise<void> {
    try {
      if (this.#state === 'connected') await this.#leave(this.#wire!);
    } finally {
      this.#shut(undefined);
    }
  }

  #leave(wire: Wire): Promise<void> {
    this.#state = 'closing';
    this.#keepAlive.stop();
    this.#readOrPause();
    this.#outbox.addRequest(this.#frame(FrameType.disconnect, ''));
    return sayGoodbye({
      wire,
      url: urlOf(this.#settings.address),
      timeoutMs: this.#settings.requestTimeoutMs,
      unsentBytes: () => this.#outbox.bytes,
      flush: () => this.#flush(),
    });
  }

  /** The end, for whoever still waits for something as well. */
  #shut(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const reason = error ?? new ClosedError();
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.#cancel.abort(reason);
    this.#keepAlive.stop();
    this.#wire?.destroy();
    this.#wire = undefined;
    this.#room?.reject(reason);
    this.#room = undefined;
    this.#pings.failAll(reason);
    this.#unsubscribes.failAll(new ClosedError());
    for (const { acknowledged, subscriptions } of this.#filters.clear()) {
      acknowledged.reject(reason);
      for (const subscription of subscriptions) subscription.end(error);
    }
    this.#inbox.handlersChanged();
    this.emit('close', error);
  }

  readonly #onAbort = (): void => {
    if (this.#isConnecting) this.#cancel.abort(this.#settings.signal!.reason);
    else this.close().catch((error) => this.emit('error', error));
  };

  /** Ends a subscription when a signal says so. */
  #endWith(signal: AbortSignal | undefined, subscription: Subscription): void {
    if (signal === undefined) return;
    const end = () => void subscription.unsubscribe().catch((error) => this.emit('error', error));
    if (signal.aborted) end();
    else subscription.endWith(signal, end);
  }

  #notOpen(): ClosedError {
    if (this.#state === 'new') return new ClosedError('the client is not connected yet');
    return new ClosedError(this.#state === 'reconnecting' ? 'the client is not connected now' : undefined);
  }
}

function handlersOf({ subscriptions }: FilterEntry): MessageHandler[] {
  return [...subscriptions].map(({ deliver }) => deliver);
}

function refusalIn({ topic, payload }: Frame): RefusedError {
  return new RefusedError(new TextDecoder().decode(payload), topic === '' ? undefined : topic);
}

function checkTopic(topic: string): void {
  const problem = topicNameProblem(topic) ?? reservedTopicProblem(topic);
  if (problem !== undefined) throw new InvalidTopicError('topic', topic, problem);
}

function checkClientId(clientId: string): void {
  const size = new TextEncoder().encode(clientId).length;
  if (size === 0 || size > MAX_CLIENT_ID_BYTES || clientId.includes('\0')) {
    const rule = `a client id is 1 to ${MAX_CLIENT_ID_BYTES} bytes without NUL`;
    throw new TinymqError('invalid-client-id', rule);
  }
}

function startOf(from: ReplayFrom): string {
  if (from instanceof Date) return from.toISOString();
  if (typeof from === 'number' && !(Number.isSafeInteger(from) && from >= 0)) {
    throw new TinymqError('invalid-option', `from: ${from} is not an offset`);
  }
  return String(from);
}
