import type { Source } from '../delivery/channel.ts';
import { HeldFeeders } from '../delivery/held-feeders.ts';

/** Publishers wait while a session's queue is fuller than this, so that what comes in bursts is not lost. */
const HOLD_FROM = 0.5;
/** They go on when it has come down to this. */
const RELEASE_AT = 0.25;

/**
 * Makes publishers wait while the queue of a connected session is long, for a bounded time: a client that does not
 * acknowledge must stop nobody for longer.
 */
export class Backlog {
  readonly #waitMs: number;
  #feeders: HeldFeeders | undefined;
  #timer: NodeJS.Timeout | undefined;
  #deadlineMs = 0;
  #isFull = false;
  /** Whether the wait is over, until the queue has come down. */
  #hasGivenUp = false;
  /** Whether the queue came down in time when publishers last waited for it. */
  #isTrusted = false;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Whether publishers should wait. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Pauses a publisher, for as long as the least patient of those who wait does. */
  holdBack(feeder: Source): void {
    this.#feeders ??= new HeldFeeders();
    if (this.#feeders.has(feeder)) return;
    const nowMs = performance.now();
    const patienceMs = feeder.patience?.leftMs(this.#waitMs, nowMs, this.#isTrusted) ?? this.#waitMs;
    if (this.#timer === undefined || nowMs + patienceMs < this.#deadlineMs) {
      clearTimeout(this.#timer);
      this.#deadlineMs = nowMs + patienceMs;
      this.#timer = setTimeout(this.#giveUp, patienceMs).unref();
    }
    this.#feeders.add(feeder, nowMs);
  }

  /** Tells how full the queue is now: 0 to 1. */
  update(fill: number): void {
    if (fill <= RELEASE_AT) {
      this.#hasGivenUp = false;
      if (!this.#isFull) return;
      this.#isTrusted = true;
      this.release();
    } else if (fill >= HOLD_FROM && !this.#hasGivenUp) {
      this.#isFull = true;
    }
  }

  /** Lets everybody go. */
  release(): void {
    this.#end();
    this.#feeders?.release();
  }

  readonly #giveUp = (): void => {
    this.#hasGivenUp = true;
    this.#isTrusted = false;
    this.#end();
    this.#feeders?.giveUp(performance.now());
  };

  #end(): void {
    this.#isFull = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
