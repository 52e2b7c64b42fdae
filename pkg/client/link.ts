import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { ConnectError, ConnectionLostError, ProtocolError, type RefusedError } from './errors.ts';
import { sayGoodbye } from './goodbye.ts';
import { type IntervalTimers, KeepAlive } from './keep-alive.ts';
import { type Deferred, defer } from './requests.ts';
import { NO_HANDLER, type Platform, type Wire } from './wire.ts';

/** A test that puts a minute forward by fake timers has not waited that long for the broker. */
const OWN_TIMERS: IntervalTimers = {
  setInterval: globalThis.setInterval.bind(globalThis),
  clearInterval: globalThis.clearInterval.bind(globalThis),
};

export interface LinkSettings {
  /** The broker's address, for errors. */
  url: string;
  keepAliveMs: number;
  unref: Platform['unref'];
}

export interface LinkEvents {
  /** @throws an Error where the bytes are no frames. */
  bytes(chunk: Uint8Array): void;
  /** {@link Link.write} said false, and now there is room again. */
  drained(): void;
  /** Whether what comes is read at the moment. */
  isReading(): boolean;
  /** It is time for a PING. */
  ask(): void;
  /** The link is gone after the broker had let the client in; called once, and nothing after it. */
  lost(reason: Error): void;
}

/**
 * One stream to a broker, from CONNECT to its end; a client that connects again makes another. Invariants:
 *
 * - Before {@link accept} it only shakes hands, and its end is told to who awaits that; afterwards `lost` tells it.
 *   It is one of the two, once.
 * - It has one reason: what the broker said itself, otherwise what made the client give it up, otherwise what the
 *   stream says.
 */
export class Link {
  readonly #wire: Wire;
  readonly #url: string;
  readonly #keepAlive: KeepAlive;
  readonly #events: LinkEvents;
  #handshake: Deferred<void> | undefined = defer<void>();
  #refusal: RefusedError | undefined;
  #problem: ProtocolError | undefined;

  constructor(wire: Wire, { url, keepAliveMs, unref }: LinkSettings, events: LinkEvents) {
    this.#wire = wire;
    this.#url = url;
    this.#events = events;
    const silent = () => {
      this.giveUp(new ProtocolError(`the broker did not answer a PING within ${keepAliveMs} ms`));
    };
    this.#keepAlive = new KeepAlive(
      keepAliveMs,
      unref,
      { isReading: events.isReading, ask: events.ask, silent },
      OWN_TIMERS,
    );
    wire.handler = {
      bytes: (chunk) => this.#take(chunk),
      drained: () => events.drained(),
      closed: (error) => this.#onClosed(error),
    };
  }

  /** Whether the broker has not answered CONNECT yet. */
  get isShakingHands(): boolean {
    return this.#handshake !== undefined;
  }

  /**
   * Sends CONNECT and waits until {@link accept} is called.
   *
   * @throws RefusedError, ConnectError, ProtocolError, or the reason of the signal; the stream is closed then.
   */
  async shakeHands(offer: string, clientId: string, signal: AbortSignal): Promise<void> {
    const handshake = this.#handshake!;
    const onAbort = () => handshake.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#wire.write([encodeFrame(FrameType.connect, '', offer, clientId)]);
    try {
      await handshake.promise;
    } catch (error) {
      this.#wire.handler = NO_HANDLER;
      this.#wire.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** The broker let the client in. Frames that came with its CONNACK follow at once, so this is no promise. */
  accept(): void {
    const handshake = this.#handshake!;
    this.#handshake = undefined;
    this.#keepAlive.start();
    handshake.resolve();
  }

  /** The broker said DISCONNECT. Nothing more comes and nothing more is read there. */
  refuse(refusal: RefusedError): void {
    this.#refusal = refusal;
    this.#handshake?.reject(refusal);
    this.#wire.destroy();
  }

  /** The client gives the connection up. */
  giveUp(problem: ProtocolError): void {
    this.#problem = problem;
    this.#wire.destroy();
  }

  /** Takes all of it; false: wait for `drained`. */
  write(chunks: Uint8Array[]): boolean {
    const hasRoom = this.#wire.write(chunks);
    this.#keepAlive.sent();
    return hasRoom;
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  /**
   * Sends what is left and closes.
   *
   * @throws TimeoutError, ConnectionLostError where not everything was sent.
   */
  leave(timeoutMs: number, unsentBytes: () => number, flush: () => void): Promise<void> {
    this.#keepAlive.stop();
    return sayGoodbye({ wire: this.#wire, url: this.#url, timeoutMs, unsentBytes, flush });
  }

  /** Closes at once. */
  destroy(): void {
    this.#keepAlive.stop();
    this.#wire.destroy();
  }

  #take(chunk: Uint8Array): void {
    this.#keepAlive.heard();
    try {
      this.#events.bytes(chunk);
    } catch (error) {
      this.giveUp(new ProtocolError(`the broker sent no frames: ${(error as Error).message}`, error));
    }
  }

  #onClosed(error: Error | undefined): void {
    this.#keepAlive.stop();
    const reason = this.#refusal ?? this.#problem;
    if (this.#handshake !== undefined) {
      const why = error?.message ?? 'the broker closed the connection without an answer';
      this.#handshake.reject(reason ?? new ConnectError(this.#url, why, error));
      return;
    }
    const why = error?.message ?? 'the broker closed it';
    this.#events.lost(reason ?? new ConnectionLostError(this.#url, why, error));
  }
}
