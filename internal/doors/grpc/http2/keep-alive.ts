import { encodePing } from '../../../protocol/http2/frame.ts';
import type { FrameWriter } from './frame-writer.ts';

/** Settings, in milliseconds. */
export interface KeepAliveSettings {
  /** A connection on which nothing came for so long is asked whether its peer is still there; 0: never. */
  keepAliveAfterMs: number;
  /** The time that the answer may take. */
  keepAliveTimeoutMs: number;
}

/** What is known of the bytes of a peer. */
export interface Heard {
  readonly lastHeardAt: number;
  /** Whether it is not read at the moment, so that what it says is not known. */
  readonly isHeldBack: boolean;
}

/** Finds out whether the peer of a connection is still there, by asking it where nothing comes. */
export class KeepAlive {
  readonly #settings: KeepAliveSettings;
  readonly #heard: Heard;
  readonly #writer: FrameWriter;
  /** When the client was asked whether it is there, by the connection's clock; undefined where it has answered. */
  #askedAt: number | undefined;

  constructor(settings: KeepAliveSettings, heard: Heard, writer: FrameWriter) {
    this.#settings = settings;
    this.#heard = heard;
    this.#writer = writer;
  }

  /** Whether the peer does not answer, or takes nothing. Asks it where it is time to. */
  isDead(now: number): boolean {
    const { keepAliveAfterMs, keepAliveTimeoutMs } = this.#settings;
    if (keepAliveAfterMs === 0) return false;
    const { blockedSince } = this.#writer;
    if (blockedSince !== undefined) return blockedSince + keepAliveAfterMs + keepAliveTimeoutMs <= now;
    if (this.#heard.isHeldBack) return false;
    if (this.#askedAt !== undefined) return this.#askedAt + keepAliveTimeoutMs <= now;
    if (this.#heard.lastHeardAt + keepAliveAfterMs > now) return false;
    this.#askedAt = now;
    this.#writer.control(encodePing(KEEP_ALIVE_PING, 0, false));
    return false;
  }

  answered(): void {
    this.#askedAt = undefined;
  }

  /** Time that counts against nobody. */
  allow(lostMs: number): void {
    if (this.#askedAt !== undefined) this.#askedAt += lostMs;
    if (this.#writer.blockedSince !== undefined) this.#writer.blockedSince += lostMs;
  }
}

const KEEP_ALIVE_PING = Buffer.from('tinymq  ');
