import {
  encodeFrame,
  type Frame,
  FrameType,
  MAX_CLIENT_ID_BYTES,
} from '../../internal/protocol/frame/frame.ts';
import { filterProblem, isReservedTopic, matchesFilter, topicNameProblem } from '../../internal/topic.ts';
import { urlOf } from './address.ts';
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
import { Inbox, type MessageHandler } from './inbox.ts';
import type { Message } from './message.ts';
import { type ConnectOptions, reconnectDelayMs, type Settings, settingsOf } from './options.ts';
import { Outbox } from './outbox.ts';
import { type Deferred, defer, Requests } from './requests.ts';
import { Subscription } from './subscription.ts';
import { NO_HANDLER, type Platform, type Wire } from './wire.ts';

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The broker let the client in, for the first time or again. */
  connect: undefined;
  /** The connection ended, for this reason. */
  disconnect: Error;
  /** The client will try again. */
  reconnecting: { attempt: number; delayMs: number; cause: Error };
  /** Something went wrong that belongs to no call: a handler threw, or the broker refused a PUBLISH. */
  error: unknown;
  /** The client is closed for good; with an error where it did not close itself. */
  close: Error | undefined;
  /** A message, once, however many subscriptions it matches. */
  message: Message;
}

export type ClientState = 'new' | 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

/** Refusals that would only be repeated. */
const PERMANENT_REFUSALS = new Set(['taken-over', 'not-authorized', 'invalid-client-id']);
/** Refusals of a SUBSCRIBE. */
const SUBSCRIBE_REFUSALS = new Set(['invalid-filter', 'not-authorized', 'too-many-subscriptions']);
/** Ends of a connection that are nobody's mistake. */
const ORDINARY_REFUSALS = new Set([
  'server-shutdown',
  'too-many-clients',
  'keepalive-timeout',
  'slow-consumer',
]);
/** How long a closing client waits for the broker to close too. */
const CLOSE_TIMEOUT_MS = 2_000;
const NO_PAYLOAD = new Uint8Array(0);

/** One filter, which several subscriptions may share. */
interface FilterEntry {
  readonly filter: string;
  readonly subscriptions: Set<Subscription>;
  /** Settles when the broker has answered; pending again while it is asked again does not matter to anybody. */
  readonly acknowledged: Deferred<void>;
  isAcknowledged: boolean;
}

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
  readonly #filters = new Map<string, FilterEntry>();
  readonly #pings: Requests;
  readonly #unsubscribes: Requests;

  #state: ClientState = 'new';
  #wire: Wire | undefined;
  #handshake: Deferred<void> | undefined;
  #refusal: RefusedError | undefined;
  #protocolError: ProtocolError | undefined;
  #isBlocked = false;
  #isFlushScheduled = false;
  #room: Deferred<true> | undefined;
  #readingPauses = 0;
  #messageHandler: MessageHandler | undefined;
  #closing: Promise<void> | undefined;
  readonly #cancel = new AbortController();
  #keepAliveTimer: ReturnType<typeof setTimeout> | undefined;
  #hasHeard = false;
  #isAsking = false;

  /**
   * @internal
   * @throws TinymqError `invalid-address`, `invalid-client-id`.
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
      failed: (error) => this.emit('error', error),
    });
    this.#pings = new Requests('PONG', this.#settings.requestTimeoutMs, platform);
    this.#unsubscribes = new Requests('UNSUBACK', this.#settings.requestTimeoutMs, platform);
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
    try {
      await this.#attempt();
    } catch (error) {
      const mayRetry = this.#settings.connectRetry && !isPermanent(error) && !this.#cancel.signal.aborted;
      if (!mayRetry || this.#settings.reconnect === undefined) {
        this.#shut(error as Error);
        throw error;
      }
      await this.#reconnect(error as Error);
    }
    return this;
  }

  /**
   * Sends a message. Not acknowledged; {@link ping} tells when everything before it has arrived.
   *
   * @returns `true`: go on. Otherwise a promise that resolves when there is room again: more than
   *   `highWaterMarkBytes` wait to be sent. Awaiting every result is enough to never grow without bound.
   * @throws InvalidTopicError, ClosedError.
   */
  publish(topic: string, payload: string | Uint8Array): true | Promise<true> {
    if (this.#state === 'new' || this.#state === 'closing' || this.#state === 'closed') throw this.#notOpen();
    this.#outbox.add(topic, payload);
    if (this.#outbox.hasFullSlab && this.#state === 'connected' && !this.#isBlocked) {
      this.#isBlocked = !this.#wire!.write(this.#outbox.takeFull());
    }
    if (!this.#isFlushScheduled) this.#scheduleFlush();
    return this.#outbox.bytes < this.#settings.highWaterMarkBytes ? true : this.#roomAgain();
  }

  /** Resolves when `publish` would not say to wait. */
  async drained(): Promise<void> {
    if (this.#outbox.bytes >= this.#settings.highWaterMarkBytes) await this.#roomAgain();
  }

  /**
   * Subscribes to a filter, with a handler or to be iterated. Resolves when the broker has acknowledged it. Several
   * subscriptions may share a filter; the broker sends each message once.
   *
   * @throws InvalidTopicError, RefusedError, TimeoutError, ClosedError.
   */
  async subscribe(
    filter: string,
    handler?: (message: Message) => unknown,
    options: { signal?: AbortSignal } = {},
  ): Promise<Subscription> {
    const problem = filterProblem(filter);
    if (problem !== undefined) throw new InvalidTopicError('filter', filter, problem);
    if (this.#state === 'new' || this.#state === 'closing' || this.#state === 'closed') throw this.#notOpen();
    options.signal?.throwIfAborted();
    const subscription = new Subscription(
      filter,
      {
        release: (released) => this.#release(released),
        pause: () => this.pause(),
        resume: () => this.resume(),
      },
      handler,
    );
    const entry = this.#entryOf(filter);
    entry.subscriptions.add(subscription);
    this.#inbox.handlersChanged();
    try {
      await this.#within(entry.acknowledged.promise, 'no SUBACK came', options.signal);
    } catch (error) {
      subscription.end();
      this.#release(subscription).catch(() => {});
      throw error;
    }
    options.signal?.addEventListener('abort', () => void subscription.unsubscribe().catch(() => {}), {
      once: true,
    });
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
    await answered;
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
   * {@link resume} as often as this. A browser cannot stop and goes on receiving.
   */
  pause(): void {
    if (this.#readingPauses++ === 0) this.#wire?.pause();
  }

  /** Goes on receiving. */
  resume(): void {
    if (--this.#readingPauses === 0) this.#wire?.resume();
  }

  /** Sends what was published, says goodbye and closes. Can be called at any time and more than once. */
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

  async #attempt(): Promise<void> {
    const { address, tls, connectTimeoutMs } = this.#settings;
    const abort = new AbortController();
    const onCancel = () => abort.abort(this.#cancel.signal.reason);
    this.#cancel.signal.addEventListener('abort', onCancel, { once: true });
    if (this.#cancel.signal.aborted) onCancel();
    const timer = setTimeout(() => {
      abort.abort(new TimeoutError(`${urlOf(address)} did not let the client in`, connectTimeoutMs));
    }, connectTimeoutMs);
    try {
      const wire = await this.#open(tls, abort.signal);
      await this.#shakeHands(wire, abort.signal);
    } finally {
      clearTimeout(timer);
      this.#cancel.signal.removeEventListener('abort', onCancel);
    }
  }

  async #open(tls: Settings['tls'], signal: AbortSignal): Promise<Wire> {
    try {
      return await this.#platform.open(this.#settings.address, tls, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new ConnectError(urlOf(this.#settings.address), (error as Error).message, error);
    }
  }

  async #shakeHands(wire: Wire, signal: AbortSignal): Promise<void> {
    const handshake = defer<void>();
    const onAbort = () => handshake.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#inbox.reset();
    this.#refusal = undefined;
    this.#protocolError = undefined;
    this.#isBlocked = false;
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
    if (this.#readingPauses > 0) wire.pause();
    wire.write([encodeFrame(FrameType.connect, '', NO_PAYLOAD, this.clientId)]);
    try {
      await handshake.promise;
    } catch (error) {
      wire.handler = NO_HANDLER;
      wire.destroy();
      this.#wire = undefined;
      throw error;
    } finally {
      this.#handshake = undefined;
      signal.removeEventListener('abort', onAbort);
    }
  }

  #takeBytes(wire: Wire, chunk: Uint8Array): void {
    this.#hasHeard = true;
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
        if (this.#handshake !== undefined) this.#becomeConnected();
        return;
      case FrameType.suback:
        this.#takeSuback(frame.topic);
        return;
      case FrameType.unsuback:
        this.#unsubscribes.answer(frame.topic);
        return;
      case FrameType.pong:
        this.#pings.answer('');
        return;
      case FrameType.disconnect:
        this.#refusal = new RefusedError(new TextDecoder().decode(frame.payload));
        this.#handshake?.reject(this.#refusal);
        this.#wire?.end();
    }
  }

  /** Before anything else the broker learns the filters again, then it gets what was published meanwhile. */
  #becomeConnected(): void {
    this.#state = 'connected';
    const filters = [...this.#filters.keys()];
    if (filters.length > 0) {
      this.#isBlocked = !this.#wire!.write(filters.map((filter) => this.#frame(FrameType.subscribe, filter)));
    }
    this.#handshake!.resolve();
    this.#watchForSilence();
    this.#flush();
    this.emit('connect', undefined);
  }

  #takeSuback(filter: string): void {
    const entry = filter === '' ? this.#oldestUnacknowledged() : this.#filters.get(filter);
    if (entry === undefined) return;
    entry.isAcknowledged = true;
    entry.acknowledged.resolve();
  }

  #oldestUnacknowledged(): FilterEntry | undefined {
    for (const entry of this.#filters.values()) if (!entry.isAcknowledged) return entry;
    return undefined;
  }

  #handlersOf(topic: string): readonly MessageHandler[] {
    const handlers: MessageHandler[] = [];
    for (const { filter, subscriptions } of this.#filters.values()) {
      if (!matchesFilter(filter, topic)) continue;
      for (const subscription of subscriptions) handlers.push(subscription.deliver);
    }
    if (this.#messageHandler !== undefined) handlers.push(this.#messageHandler);
    if (this.hasListeners('message')) handlers.push((message) => this.emit('message', message));
    return handlers;
  }

  #entryOf(filter: string): FilterEntry {
    let entry = this.#filters.get(filter);
    if (entry === undefined) {
      entry = { filter, subscriptions: new Set(), acknowledged: defer(), isAcknowledged: false };
      this.#filters.set(filter, entry);
      if (this.#state === 'connected') this.#request(FrameType.subscribe, filter);
    }
    return entry;
  }

  /** The broker is told when nobody is left who wants the filter. */
  async #release(subscription: Subscription): Promise<void> {
    const { filter } = subscription;
    const entry = this.#filters.get(filter);
    if (entry === undefined || !entry.subscriptions.delete(subscription)) return;
    this.#inbox.handlersChanged();
    if (entry.subscriptions.size > 0) return;
    this.#filters.delete(filter);
    if (this.#state !== 'connected') return;
    const answered = this.#unsubscribes.add(filter);
    this.#request(FrameType.unsubscribe, filter);
    await answered.catch((error) => {
      // With the connection the subscription has ended too.
      if (!(error instanceof ConnectionLostError) && !(error instanceof ClosedError)) throw error;
    });
  }

  #request(type: FrameType, topic: string): void {
    this.#outbox.addFrame(this.#frame(type, topic));
    this.#scheduleFlush();
  }

  #frame(type: FrameType, topic: string): Uint8Array {
    return encodeFrame(type, topic, NO_PAYLOAD, this.clientId);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
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
    if (this.#outbox.bytes > 0) this.#isBlocked = !this.#wire.write(this.#outbox.take());
    if (this.#room === undefined) return;
    this.#room.resolve(true);
    this.#room = undefined;
  }

  #roomAgain(): Promise<true> {
    this.#room ??= defer<true>();
    return this.#room.promise;
  }

  #watchForSilence(): void {
    clearTimeout(this.#keepAliveTimer);
    const { keepAliveMs } = this.#settings;
    if (keepAliveMs === 0) return;
    this.#hasHeard = true;
    this.#isAsking = false;
    this.#keepAliveTimer = setInterval(() => this.#checkSilence(keepAliveMs), keepAliveMs);
    this.#platform.unref(this.#keepAliveTimer);
  }

  #checkSilence(keepAliveMs: number): void {
    // While it does not read, the client cannot know.
    if (this.#hasHeard || this.#readingPauses > 0) {
      this.#hasHeard = false;
      this.#isAsking = false;
    } else if (this.#isAsking) {
      this.#protocolError = new ProtocolError(`the broker said nothing for ${2 * keepAliveMs} ms`);
      this.#wire?.destroy();
    } else {
      this.#isAsking = true;
      this.#pings.add().catch(() => {});
      this.#request(FrameType.ping, '');
    }
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
    clearTimeout(this.#keepAliveTimer);
    const lost = reason ?? new ConnectionLostError(url, error?.message ?? 'the broker closed it', error);
    this.#pings.failAll(lost);
    this.#unsubscribes.failAll(new ConnectionLostError(url, lost.message));
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.emit('disconnect', lost);
    this.#afterLoss(lost);
  }

  #afterLoss(lost: Error): void {
    if (lost instanceof RefusedError) {
      const wasSubscribe = SUBSCRIBE_REFUSALS.has(lost.code) && this.#refuseOldestSubscribe(lost);
      if (!wasSubscribe && !ORDINARY_REFUSALS.has(lost.code)) this.emit('error', lost);
      if (!wasSubscribe && lost.code === 'taken-over') {
        this.#shut(lost);
        return;
      }
    }
    if (this.#settings.reconnect === undefined) {
      this.#shut(lost);
      return;
    }
    this.#reconnect(lost).catch(() => {});
  }

  /** The broker answers in order, so what it refused is the oldest request that it has not acknowledged. */
  #refuseOldestSubscribe(refusal: RefusedError): boolean {
    const entry = this.#oldestUnacknowledged();
    if (entry === undefined) return false;
    this.#filters.delete(entry.filter);
    entry.acknowledged.reject(refusal);
    this.#inbox.handlersChanged();
    return true;
  }

  async #reconnect(cause: Error): Promise<void> {
    const settings = this.#settings.reconnect!;
    let lastError = cause;
    for (let attempt = 1; attempt <= settings.maxAttempts; attempt++) {
      this.#state = 'reconnecting';
      const delayMs = reconnectDelayMs(attempt, settings);
      this.emit('reconnecting', { attempt, delayMs, cause: lastError });
      await this.#sleep(delayMs);
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

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#cancel.signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }

  async #close(): Promise<void> {
    if (this.#state === 'connected') await this.#sayGoodbye();
    this.#shut(undefined);
  }

  async #sayGoodbye(): Promise<void> {
    const wire = this.#wire!;
    this.#state = 'closing';
    this.#outbox.addFrame(this.#frame(FrameType.disconnect, ''));
    const closed = new Promise<void>((resolve) => {
      const { handler } = wire;
      wire.handler = {
        ...handler,
        drained: () => {
          handler.drained();
          if (this.#outbox.bytes === 0) wire.end();
        },
        closed: (error) => {
          handler.closed(error);
          resolve();
        },
      };
    });
    this.#flush();
    if (this.#outbox.bytes === 0) wire.end();
    const timeoutMs = this.#outbox.bytes === 0 ? CLOSE_TIMEOUT_MS : this.#settings.requestTimeoutMs;
    const timer = setTimeout(() => wire.destroy(), timeoutMs);
    await closed;
    clearTimeout(timer);
  }

  /** The end, for whoever still waits for something as well. */
  #shut(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const reason = error ?? new ClosedError();
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.#cancel.abort(reason);
    clearTimeout(this.#keepAliveTimer);
    this.#wire?.destroy();
    this.#wire = undefined;
    this.#room?.reject(reason);
    this.#room = undefined;
    this.#pings.failAll(reason);
    this.#unsubscribes.failAll(new ClosedError());
    for (const { acknowledged, subscriptions } of this.#filters.values()) {
      acknowledged.reject(reason);
      for (const subscription of subscriptions) subscription.end(error);
    }
    this.#filters.clear();
    this.emit('close', error);
  }

  readonly #onAbort = (): void => {
    if (this.#state === 'connecting') this.#cancel.abort(this.#settings.signal!.reason);
    else this.close().catch(() => {});
  };

  #notOpen(): ClosedError {
    if (this.#state === 'new') return new ClosedError('the client is not connected yet');
    return new ClosedError(this.#state === 'reconnecting' ? 'the client is not connected now' : undefined);
  }

  async #within<T>(promise: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
    const { requestTimeoutMs } = this.#settings;
    const end = defer<never>();
    const timer = setTimeout(() => end.reject(new TimeoutError(what, requestTimeoutMs)), requestTimeoutMs);
    const onAbort = () => end.reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([promise, end.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function isPermanent(error: unknown): boolean {
  return error instanceof RefusedError && PERMANENT_REFUSALS.has(error.code);
}

function checkTopic(topic: string): void {
  const problem =
    topicNameProblem(topic) ??
    (isReservedTopic(topic) ? 'names that begin with $ belong to the broker' : undefined);
  if (problem !== undefined) throw new InvalidTopicError('topic', topic, problem);
}

function checkClientId(clientId: string): void {
  const size = new TextEncoder().encode(clientId).length;
  if (size === 0 || size > MAX_CLIENT_ID_BYTES || clientId.includes('\0')) {
    const rule = `a client id is 1 to ${MAX_CLIENT_ID_BYTES} bytes without NUL`;
    throw new TinymqError('invalid-client-id', rule);
  }
}
