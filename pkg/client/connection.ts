import { urlOf } from './address.ts';
import { dial, inTime } from './dial.ts';
import { ClosedError, type ProtocolError, type RefusedError, TinymqError } from './errors.ts';
import type { ClientState, Tell } from './events.ts';
import { Link, type LinkEvents } from './link.ts';
import { type ReconnectOptions, reconnectDelayMs, type Settings } from './options.ts';
import { isPermanent, isTakenOver } from './refusals.ts';
import { sleep } from './timing.ts';
import type { Platform, Wire } from './wire.ts';

/** What a connection needs from its client. */
export interface ConnectionHost extends Pick<LinkEvents, 'bytes' | 'drained' | 'isReading' | 'ask'> {
  /** The client begins. What this throws is what `connect` throws. */
  start(): void;
  /** What the client can agree on with the broker of the next connection. */
  offer(): string;
  /** Another stream begins; an unfinished frame of the one before is forgotten. */
  begin(): void;
  /** The broker let the client in over this link, with these extensions. */
  open(link: Link, agreed: Uint8Array): void;
  /** The link is gone: nothing that was asked over it is answered any more. */
  lost(reason: Error): void;
  /** The broker ended the connection for good; whether somebody who awaits an answer is told by that. */
  takeRefusal(refusal: RefusedError): boolean;
  /** The client sends what it has over the link, and closes that. */
  leave(link: Link): Promise<void>;
  /** There is no connection any more, and there will be none; with an error where the client did not close itself. */
  shut(error: Error | undefined): void;
  tell: Tell;
}

/**
 * The life of a client: connects, connects again where the connection breaks off, and ends. Invariants:
 *
 * - States go `new → connecting → connected ⇄ reconnecting`, then `closing` where there is something to send, and
 *   `closed`, which is reached once from wherever it was, and never left.
 * - There is at most one link. It is open (`connected`, `closing`) or shakes hands (`connecting`, `reconnecting`).
 * - At most one loop of attempts runs. A delay grows with the attempts of the loop and with the connections before
 *   it that did not last.
 * - `cancel` is aborted as soon as nothing is wanted any more, and everything that waits here listens to it.
 */
export class Connection {
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #host: ConnectionHost;
  readonly #cancel = new AbortController();
  #state: ClientState = 'new';
  #link: Link | undefined;
  /** Whether the call of {@link connect} is still under way. */
  #isConnecting = false;
  #connectedAtMs = 0;
  /** Connections in a row that did not last. */
  #shortConnections = 0;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings, platform: Platform, host: ConnectionHost) {
    this.#settings = settings;
    this.#platform = platform;
    this.#host = host;
  }

  get state(): ClientState {
    return this.#state;
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** @throws ClosedError where the client is not connected yet, or no longer wants to be. */
  checkStarted(): void {
    if (this.#state === 'new' || this.#state === 'closing' || this.#state === 'closed') throw this.notOpen();
  }

  /** What is wrong where there has to be a connection. */
  notOpen(): ClosedError {
    if (this.#state === 'new') return new ClosedError('the client is not connected yet');
    return new ClosedError(this.#state === 'reconnecting' ? 'the client is not connected now' : undefined);
  }

  /** @throws what the last attempt threw, or the reason of the signal; the client is closed then. */
  async connect(): Promise<void> {
    if (this.#state !== 'new')
      throw new TinymqError('already-connected', 'connect is called once for each client');
    const { signal } = this.#settings;
    signal?.throwIfAborted();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#state = 'connecting';
    this.#isConnecting = true;
    try {
      this.#host.start();
      await this.#attempt().catch((error) => this.#retryFirst(error));
    } catch (error) {
      this.#shut(error as Error);
      throw error;
    } finally {
      this.#isConnecting = false;
    }
  }

  /** The broker said CONNACK. */
  accept(agreed: Uint8Array): void {
    const link = this.#link;
    if (link === undefined || !link.isShakingHands) return;
    this.#state = 'connected';
    this.#connectedAtMs = performance.now();
    link.accept();
    this.#host.open(link, agreed);
    this.#host.tell('connect', undefined);
  }

  /** The client cannot go on with this connection, and makes another one. */
  giveUp(problem: ProtocolError): void {
    this.#link?.giveUp(problem);
  }

  /** The broker said DISCONNECT. */
  refuse(refusal: RefusedError): void {
    this.#link?.refuse(refusal);
  }

  /** @throws TimeoutError, ConnectionLostError where not everything was sent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #attempt(): Promise<void> {
    await inTime(this.#settings, this.#cancel.signal, async (signal) => {
      const { wire, offer } = await dial(this.#settings, this.#host.offer(), this.#platform, signal);
      this.#host.begin();
      const link = this.#newLink(wire);
      this.#link = link;
      try {
        await link.shakeHands(offer, this.#settings.clientId, signal);
      } catch (error) {
        this.#link = undefined;
        throw error;
      }
    });
  }

  #newLink(wire: Wire): Link {
    const { address, keepAliveMs } = this.#settings;
    const { bytes, drained, isReading, ask } = this.#host;
    const lost = (reason: Error) => this.#onLost(reason);
    const settings = { url: urlOf(address), keepAliveMs, unref: this.#platform.unref };
    return new Link(wire, settings, { bytes, drained, isReading, ask, lost });
  }

  #retryFirst(error: Error): Promise<void> {
    const { connectRetry, reconnect } = this.#settings;
    const mayRetry = connectRetry && !isPermanent(error) && !this.#cancel.signal.aborted;
    if (!mayRetry || reconnect === undefined) throw error;
    return this.#reconnect(error, reconnect);
  }

  async #reconnect(cause: Error, settings: Required<ReconnectOptions>): Promise<void> {
    let lastError = cause;
    for (let attempt = 1; attempt <= settings.maxAttempts; attempt++) {
      this.#state = 'reconnecting';
      const delayMs = reconnectDelayMs(attempt + Math.max(0, this.#shortConnections - 1), settings);
      this.#host.tell('reconnecting', { attempt, delayMs, cause: lastError });
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

  #onLost(lost: Error): void {
    this.#link = undefined;
    this.#host.lost(lost);
    if (this.#state === 'closed') return;
    const refusal = isPermanent(lost) ? lost : undefined;
    if (this.#state === 'closing') {
      if (refusal !== undefined) this.#host.tell('error', refusal);
      return;
    }
    this.#state = 'reconnecting';
    const isReported = refusal !== undefined && this.#host.takeRefusal(refusal);
    this.#host.tell('disconnect', lost);
    if (refusal !== undefined && !isReported) this.#host.tell('error', refusal);
    this.#afterLoss(lost);
  }

  #afterLoss(lost: Error): void {
    // A listener may have closed the client.
    if (this.#state !== 'reconnecting') return;
    const { reconnect } = this.#settings;
    if (isTakenOver(lost) || reconnect === undefined) {
      this.#shut(lost);
      return;
    }
    const hasLasted = performance.now() - this.#connectedAtMs >= reconnect.maxDelayMs;
    this.#shortConnections = hasLasted ? 0 : this.#shortConnections + 1;
    this.#reconnect(lost, reconnect).catch(() => {});
  }

  async #close(): Promise<void> {
    try {
      if (this.#state !== 'connected') return;
      this.#state = 'closing';
      await this.#host.leave(this.#link!);
    } finally {
      this.#shut(undefined);
    }
  }

  /** The end, for whoever still waits for something as well. */
  #shut(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.#cancel.abort(error ?? new ClosedError());
    this.#link?.destroy();
    this.#link = undefined;
    this.#host.shut(error);
    this.#host.tell('close', error);
  }

  readonly #onAbort = (): void => {
    if (this.#isConnecting) this.#cancel.abort(this.#settings.signal!.reason);
    else this.close().catch((error) => this.#host.tell('error', error));
  };
}
