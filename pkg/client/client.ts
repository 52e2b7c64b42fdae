import { type Frame, FrameBit, FrameType, RESERVED_TYPE_BITS } from '../../internal/protocol/frame/frame.ts';
import { urlOf } from './address.ts';
import { Agreement } from './agreement.ts';
import { type Answer, Asking, type RequestOptions } from './asking.ts';
import { checkClientId, checkTopic } from './checks.ts';
import { Connection } from './connection.ts';
import { Credit } from './credit.ts';
import { Deliveries } from './deliveries.ts';
import { Emitter } from './emitter.ts';
import { ClosedError, ConnectionLostError, ProtocolError, RefusedError, TinymqError } from './errors.ts';
import type { ClientEvents, ClientState } from './events.ts';
import { Inbox } from './inbox.ts';
import type { Link } from './link.ts';
import type { Message, MessageHandler } from './message.ts';
import { offerOf, refusedOptions } from './offer.ts';
import { type ConnectOptions, type Settings, settingsOf } from './options.ts';
import { LostCountError, Promised } from './promised.ts';
import type { PublishOptions } from './publish-options.ts';
import { Publishing } from './publishing.ts';
import type { QueueFile } from './queue-file.ts';
import { Reading } from './reading.ts';
import { Requests } from './requests.ts';
import { Sending } from './sending.ts';
import { filterToSend, type SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import { within } from './timing.ts';
import type { Platform } from './wire.ts';

/**
 * A client of a tinymq broker. `connect()` makes one that is connected; the original's style works too:
 *
 *     const client = new Client({ network: 'tcp', address: 'localhost:1883', clientId: 'kitchen' });
 *     client.setMessageHandler((topic, payload) => …);
 *     await client.connect();
 *
 * A connection that breaks off is opened again and its subscriptions are restored. What is published without a promise is
 * delivered at most once: what was on its way when a connection broke is lost, what is published meanwhile is sent afterwards.
 * With `qos` 1 or 2 it is sent until it is acknowledged.
 */
export class BaseClient extends Emitter<ClientEvents> implements AsyncDisposable {
  /** Who this client is for the broker. */
  readonly clientId: string;
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #connection: Connection;
  readonly #sending: Sending;
  readonly #openQueue: (() => QueueFile) | undefined;
  readonly #promised: Promised;
  readonly #publishing: Publishing;
  readonly #deliveries: Deliveries;
  readonly #reading = new Reading();
  readonly #credit: Credit;
  readonly #subscriptions: Subscriptions;
  readonly #inbox: Inbox;
  readonly #asking: Asking = new Asking(this);
  readonly #pings: Requests;
  #messageHandler: MessageHandler | undefined;
  /** What the broker of the last connection agreed to. */
  #agreement: Agreement | undefined;
  #closing: Promise<void> | undefined;
  /** What could not be read of the file of the queue. */
  #queueProblem: Error | undefined;

  /**
   * @internal
   * @throws TinymqError `invalid-address`, `invalid-client-id`, `invalid-option`.
   */
  constructor(options: ConnectOptions, platform: Platform) {
    super();
    const settings = settingsOf(options);
    const { clientId, requestTimeoutMs, highWaterMarkBytes } = settings;
    this.#settings = settings;
    this.#platform = platform;
    this.clientId = clientId;
    checkClientId(clientId);
    this.#sending = new Sending({ clientId, highWaterMarkBytes, checkTopic, defer: platform.defer });
    this.#openQueue = queueOpener(settings, platform);
    this.#promised = new Promised(settings.queue, (error) => this.emit('error', error));
    this.#publishing = new Publishing(this.#sending, this.#promised, (error) => this.emit('error', error));
    this.#deliveries = new Deliveries((frame) => this.#sending.send(frame), platform.defer);
    this.#credit = new Credit(
      (frame) => this.#sending.send(frame),
      () => this.#reading.isPaused,
    );
    this.#pings = new Requests('PONG', requestTimeoutMs, platform);
    this.#subscriptions = this.#newSubscriptions(platform);
    this.#inbox = this.#newInbox();
    this.#connection = this.#newConnection(platform);
  }

  /** Where the client is in its life. */
  get state(): ClientState {
    return this.#connection.state;
  }

  get connected(): boolean {
    return this.#connection.isConnected;
  }

  /** How many messages wait for their acknowledgements; what a file has kept of an earlier run counts. */
  get unacknowledged(): number {
    return this.#promised.count;
  }

  /**
   * Opens the connection; resolves when the broker has let the client in.
   *
   * @throws ConnectError, RefusedError, TimeoutError, QueueFileError, or the reason of the signal that aborted it.
   */
  async connect(): Promise<this> {
    await this.#connection.connect();
    return this;
  }

  /**
   * Sends a message. Without a `qos` it is not acknowledged; {@link ping} tells when everything before it has arrived. A message
   * that the broker refuses is told by an `error` event, before that ping is answered; those behind it are delivered.
   *
   * With `qos` 1 or 2 the promise resolves when the broker is responsible for it, whatever connections break off meanwhile,
   * and rejects where it was refused.
   *
   * @returns `true`: go on. Otherwise a promise that resolves when there is room again: more than
   *   `highWaterMarkBytes` wait to be sent. Awaiting every result is enough to never grow without bound.
   * @throws InvalidTopicError, ClosedError, UnsupportedError where the broker does not offer what the options need, TinymqError
   *   `invalid-payload`, `invalid-option`, `message-too-large`; with a `qos` also RefusedError, QueueFullError, QueueFileError.
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): true | Promise<true> {
    this.#connection.checkStarted();
    if (options === undefined) return this.#sending.publish(topic, payload);
    return this.#publishing.publish(topic, payload, options);
  }

  /**
   * Resolves when `publish` would not say to wait, nor refuse because too much waits to be acknowledged.
   *
   * @throws ClosedError, or the error that closed the client.
   */
  async drained(): Promise<void> {
    if (this.state === 'new' || this.state === 'closed') throw this.#connection.notOpen();
    await Promise.all([this.#sending.drained(), this.#promised.drained()]);
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
    const filter = filterToSend(wanted, handler, options);
    this.#connection.checkStarted();
    options.signal?.throwIfAborted();
    return await this.#subscriptions.add(filter, handler, options);
  }

  /**
   * Asks whoever responds on a topic ({@link respond}), and resolves with the answer.
   *
   * @throws TimeoutError where none comes within `timeoutMs`, ResponseError where the other side failed, and what `publish` throws.
   */
  request(topic: string, payload: string | Uint8Array, options?: RequestOptions): Promise<Message> {
    return this.#asking.request(topic, payload, options);
  }

  /**
   * Answers what is asked on topics of a filter: `handler` returns the answer, or throws what the other side is told. What wants no
   * answer is handled too, and what the handler returns for it is for nobody.
   */
  respond(
    filter: string,
    handler: (message: Message) => Answer | Promise<Answer>,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#asking.respond(filter, handler, options);
  }

  /** Ends every subscription to a filter; resolves when the broker has acknowledged it. */
  async unsubscribe(filter: string): Promise<void> {
    await this.#subscriptions.removeAll(filter);
  }

  /**
   * Asks the broker for a sign of life. Everything that was published before has then arrived there.
   *
   * @returns the round trip in milliseconds.
   * @throws TimeoutError, ConnectionLostError, ClosedError.
   */
  async ping(): Promise<number> {
    if (!this.connected) throw this.#connection.notOpen();
    const before = performance.now();
    await this.#reading.upTo(this.#askForPong());
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
   * reads up to it. A page cannot stop reading: there the broker stops sending when it has sent 4 MiB more, if it offers `flow`.
   */
  pause(): void {
    this.#reading.pause();
  }

  /** Goes on receiving. */
  resume(): void {
    this.#reading.resume();
    this.#credit.give();
  }

  /**
   * Sends what was published, waits until what has a `qos` is acknowledged, says goodbye and closes. Can be called at any time and
   * more than once. What was published while there was no connection is lost if there is none now.
   *
   * @throws TimeoutError where the broker does not take or acknowledge what was published within `requestTimeoutMs`,
   *   ConnectionLostError where the connection breaks off before. The client is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** @internal Tells of something that belongs to no call. */
  report(error: unknown): void {
    this.emit('error', error);
  }

  /** The original's name for {@link close}. */
  disconnect(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      const { requestTimeoutMs } = this.#settings;
      if (this.connected && this.#promised.count > 0) {
        await within(this.#promised.settled(), 'not everything was acknowledged', requestTimeoutMs);
      }
    } finally {
      await this.#connection.close();
    }
  }

  #newSubscriptions(platform: Platform): Subscriptions {
    const { clientId, requestTimeoutMs, reconnect } = this.#settings;
    const settings = { clientId, requestTimeoutMs, reconnects: reconnect !== undefined };
    return new Subscriptions(settings, platform, {
      isConnected: () => this.connected,
      request: (type, topic) => this.#sending.request(type, topic),
      send: (frame) => this.#sending.send(frame),
      agreement: () => this.#agreement,
      answer: (answer) => this.#reading.upTo(answer),
      handlersChanged: () => this.#inbox.handlersChanged(),
      failed: (error) => this.emit('error', error),
      pause: () => this.pause(),
      resume: () => this.resume(),
      hasMessageHandler: () => this.#messageHandler !== undefined || this.listenersOf('message').length > 0,
    });
  }

  #newInbox(): Inbox {
    return new Inbox(this.#settings.maxMessageBytes, {
      control: (frame) => this.#takeControl(frame),
      handlersOf: (topic) => {
        const handlers: MessageHandler[] = [];
        this.#subscriptions.collectHandlers(topic, handlers);
        return this.#withHandlersOfAll(handlers);
      },
      readerOf: (number) => this.#subscriptions.readerOf(number),
      readerAt: (place) => this.#subscriptions.readerAt(place),
      handlersOfReplay: ({ entry }) =>
        this.#withHandlersOfAll([...entry.subscriptions].map(({ deliver }) => deliver)),
      counted: () => this.#deliveries.next(),
      failed: (error) => this.emit('error', error),
    });
  }

  #newConnection(platform: Platform): Connection {
    return new Connection(this.#settings, platform, {
      start: () => this.#recover(),
      offer: () => this.#offer(),
      begin: () => {
        this.#inbox.reset();
        this.#deliveries.reset();
      },
      bytes: (chunk) => {
        this.#inbox.push(chunk);
        this.#credit.taken(this.#inbox.takeMessageBytes());
      },
      drained: this.#sending.unblock,
      isReading: () => this.#reading.isReading,
      ask: () => void this.#askForPong(),
      open: (link, agreed) => this.#onOpen(link, agreed),
      lost: (reason) => this.#onLost(reason),
      takeRefusal: (refusal) => this.#subscriptions.takeRefusal(refusal),
      leave: (link) => this.#leave(link),
      shut: (error) => this.#onShut(error),
      tell: (name, value) => this.emit(name, value),
    });
  }

  #offer(): string {
    const isFirst = this.#agreement === undefined;
    const canPause = this.#platform.canPause(this.#settings.address);
    return offerOf(this.#settings, this.#promised, { isFirst, canPause });
  }

  /** What an earlier run of the program could not send is sent first. */
  #recover(): void {
    const file = this.#openQueue?.();
    if (file === undefined) return;
    this.#promised.keepIn(file);
    this.#queueProblem = file.problem;
  }

  #withHandlersOfAll(handlers: MessageHandler[]): readonly MessageHandler[] {
    if (this.#messageHandler !== undefined) handlers.push(this.#messageHandler);
    handlers.push(...this.listenersOf('message'));
    return handlers;
  }

  #askForPong(): Promise<void> {
    const answered = this.#pings.add();
    this.#sending.request(FrameType.ping, '');
    return answered;
  }

  #takeControl(frame: Frame): void {
    const bits = frame.type & RESERVED_TYPE_BITS;
    if ((bits & (FrameBit.acknowledged | FrameBit.once)) !== 0) {
      this.#takeAnswer(frame, bits);
      return;
    }
    switch (frame.type) {
      case FrameType.connack:
        this.#takeConnack(frame.payload);
        return;
      case FrameType.position:
        this.#subscriptions.positionTold(frame);
        return;
      case FrameType.suback:
        this.#subscriptions.acknowledged(frame.topic);
        return;
      case FrameType.unsuback:
        this.#subscriptions.released(frame.topic);
        return;
      case FrameType.pong:
        this.#pings.answer('');
        return;
      case FrameType.publishRefused:
        this.emit('error', refusalIn(frame));
        return;
      case FrameType.subscribeRefused:
        this.#subscriptions.refused(refusalIn(frame));
        return;
      case FrameType.disconnect:
        this.#connection.refuse(refusalIn(frame));
    }
  }

  /** What answers messages that were counted. */
  #takeAnswer({ type, topic, payload }: Frame, bits: number): void {
    const kind = type & ~RESERVED_TYPE_BITS;
    if (kind === FrameType.acknowledge) this.#publishing.acknowledged(bits, payload);
    else if (kind === FrameType.publishRefused) this.#publishing.refused(bits, topic, payload);
  }

  #takeConnack(payload: Uint8Array): void {
    const agreement = new Agreement(payload);
    const refusal = refusedOptions(this.#settings, agreement);
    if (refusal === undefined) this.#connection.accept(payload);
    else this.#connection.refuse(refusal);
  }

  /**
   * Before anything else the broker learns the filters again, then it gets what it has not acknowledged, then what was published
   * meanwhile.
   */
  #onOpen(link: Link, agreed: Uint8Array): void {
    const agreement = new Agreement(agreed);
    this.#agreement = agreement;
    try {
      this.#sending.attach(link, [
        ...this.#credit.attach(agreement),
        ...this.#subscriptions.restore(agreement),
        ...this.#publishing.attach(agreement),
      ]);
    } catch (error) {
      if (!(error instanceof LostCountError)) throw error;
      this.#connection.giveUp(new ProtocolError(error.message, error));
    }
    this.#reading.attach(link);
    this.#tellQueueProblem();
  }

  /** Whoever awaits `connect` has not had the time yet to listen. */
  #tellQueueProblem(): void {
    const problem = this.#queueProblem;
    this.#queueProblem = undefined;
    if (problem !== undefined) this.#platform.defer(() => this.emit('error', problem));
  }

  #onLost(reason: Error): void {
    this.#sending.detach();
    this.#publishing.detach();
    this.#reading.detach();
    this.#pings.failAll(reason);
    this.#subscriptions.lost(new ConnectionLostError(urlOf(this.#settings.address), reason.message));
  }

  #leave(link: Link): Promise<void> {
    this.#reading.leave();
    this.#deliveries.flush();
    this.#sending.request(FrameType.disconnect, '');
    return link.leave(this.#settings.requestTimeoutMs, () => this.#sending.bytes, this.#sending.flush);
  }

  #onShut(error: Error | undefined): void {
    const reason = error ?? new ClosedError();
    this.#reading.detach();
    this.#sending.shut(reason);
    this.#promised.shut(reason);
    this.#pings.failAll(reason);
    this.#subscriptions.shut(error);
  }
}

/** @throws TinymqError `invalid-option` where the platform has no files. */
function queueOpener({ queue, clientId }: Settings, platform: Platform): (() => QueueFile) | undefined {
  const { file } = queue;
  if (file === undefined) return undefined;
  if (platform.openQueue === undefined)
    throw new TinymqError('invalid-option', 'queue: a page has no files, so its queue is in memory');
  return () => platform.openQueue!(file, clientId);
}

function refusalIn({ topic, payload }: Frame): RefusedError {
  return new RefusedError(new TextDecoder().decode(payload), topic === '' ? undefined : topic);
}
