import { type Frame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { urlOf } from './address.ts';
import { checkClientId, checkTopic } from './checks.ts';
import { Connection } from './connection.ts';
import { Emitter } from './emitter.ts';
import { ClosedError, ConnectionLostError, RefusedError } from './errors.ts';
import type { ClientEvents, ClientState } from './events.ts';
import { Inbox } from './inbox.ts';
import type { Link } from './link.ts';
import type { Message, MessageHandler } from './message.ts';
import { type ConnectOptions, type Settings, settingsOf } from './options.ts';
import { Reading } from './reading.ts';
import { Requests } from './requests.ts';
import { Sending } from './sending.ts';
import { filterToSend, type SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Platform } from './wire.ts';

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
  readonly #connection: Connection;
  readonly #sending: Sending;
  readonly #reading = new Reading();
  readonly #subscriptions: Subscriptions;
  readonly #inbox: Inbox;
  readonly #pings: Requests;
  #messageHandler: MessageHandler | undefined;

  /**
   * @internal
   * @throws TinymqError `invalid-address`, `invalid-client-id`, `invalid-option`.
   */
  constructor(options: ConnectOptions, platform: Platform) {
    super();
    const settings = settingsOf(options);
    const { clientId, requestTimeoutMs, highWaterMarkBytes } = settings;
    this.#settings = settings;
    this.clientId = clientId;
    checkClientId(clientId);
    this.#sending = new Sending({ clientId, highWaterMarkBytes, checkTopic, defer: platform.defer });
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

  /**
   * Opens the connection; resolves when the broker has let the client in.
   *
   * @throws ConnectError, RefusedError, TimeoutError, or the reason of the signal that aborted it.
   */
  async connect(): Promise<this> {
    await this.#connection.connect();
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
    this.#connection.checkStarted();
    return this.#sending.publish(topic, payload);
  }

  /**
   * Resolves when `publish` would not say to wait.
   *
   * @throws ClosedError, or the error that closed the client.
   */
  async drained(): Promise<void> {
    if (this.state === 'new' || this.state === 'closed') throw this.#connection.notOpen();
    await this.#sending.drained();
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
   * reads up to it. A browser cannot stop and goes on receiving.
   */
  pause(): void {
    this.#reading.pause();
  }

  /** Goes on receiving. */
  resume(): void {
    this.#reading.resume();
  }

  /**
   * Sends what was published, says goodbye and closes. Can be called at any time and more than once. What was
   * published while there was no connection is lost if there is none now.
   *
   * @throws TimeoutError where the broker does not take what was published within `requestTimeoutMs`,
   *   ConnectionLostError where the connection breaks off before. The client is closed all the same.
   */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** The original's name for {@link close}. */
  disconnect(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newSubscriptions(platform: Platform): Subscriptions {
    const { clientId, requestTimeoutMs, reconnect } = this.#settings;
    const settings = { clientId, requestTimeoutMs, reconnects: reconnect !== undefined };
    return new Subscriptions(settings, platform, {
      isConnected: () => this.connected,
      request: (type, topic) => this.#sending.request(type, topic),
      frame: (type, topic) => this.#sending.frame(type, topic),
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
      handlersOfReplay: ({ entry }) =>
        this.#withHandlersOfAll([...entry.subscriptions].map(({ deliver }) => deliver)),
      failed: (error) => this.emit('error', error),
    });
  }

  #newConnection(platform: Platform): Connection {
    return new Connection(this.#settings, platform, {
      begin: () => this.#inbox.reset(),
      bytes: (chunk) => this.#inbox.push(chunk),
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
    switch (frame.type) {
      case FrameType.connack:
        this.#connection.accept(frame.payload);
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

  /** Before anything else the broker learns the filters again, then it gets what was published meanwhile. */
  #onOpen(link: Link, agreed: Uint8Array): void {
    this.#sending.attach(link, this.#subscriptions.restore(agreed));
    this.#reading.attach(link);
  }

  #onLost(reason: Error): void {
    this.#sending.detach();
    this.#reading.detach();
    this.#pings.failAll(reason);
    this.#subscriptions.lost(new ConnectionLostError(urlOf(this.#settings.address), reason.message));
  }

  #leave(link: Link): Promise<void> {
    this.#reading.leave();
    this.#sending.request(FrameType.disconnect, '');
    return link.leave(this.#settings.requestTimeoutMs, () => this.#sending.bytes, this.#sending.flush);
  }

  #onShut(error: Error | undefined): void {
    const reason = error ?? new ClosedError();
    this.#reading.detach();
    this.#sending.shut(reason);
    this.#pings.failAll(reason);
    this.#subscriptions.shut(error);
  }
}

function refusalIn({ topic, payload }: Frame): RefusedError {
  return new RefusedError(new TextDecoder().decode(payload), topic === '' ? undefined : topic);
}
