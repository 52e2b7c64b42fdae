import { handOverBytes, mostHandOverBytes } from '../../limits/broker.ts';

/** After this time what a socket took no longer counts. */
const FORGOTTEN_AFTER_MS = 1_000;
/** What it took is divided by this: its buffers, which take 10 MiB at once and then no more, hardly earn it anything. */
const SHARES = 32;

/**
 * How much a socket gets at once. Little, so that a slow one takes it within the time that publishers wait, and is not
 * thought to be stuck; more while it takes much without a rest, because each call of the system has its price.
 */
export class Portion {
  bytes = handOverBytes;
  #tookBytes = 0;
  #asOfMs = 0;

  /** The socket asked to wait, and has taken so many bytes since. */
  took(bytes: number, nowMs: number): void {
    const left = Math.max(0, 1 - (nowMs - this.#asOfMs) / FORGOTTEN_AFTER_MS);
    this.#tookBytes = this.#tookBytes * left + bytes;
    this.#asOfMs = nowMs;
    const share = Math.floor(this.#tookBytes / SHARES);
    this.bytes = Math.min(Math.max(share, handOverBytes), mostHandOverBytes);
  }
}
