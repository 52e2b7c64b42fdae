import type { Source } from './channel.ts';

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
  #feeders: Set<Source> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFull = false;
  /** Whether the wait is over, until the queue has come down. */
  #hasGivenUp = false;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Whether publishers should wait. */
  get isFull(): boolean {
    return this.#isFull;
  }

  holdBack(feeder: Source): void {
    this.#feeders ??= new Set();
    if (this.#feeders.has(feeder)) return;
    this.#feeders.add(feeder);
    feeder.pause();
    this.#timer ??= setTimeout(() => {
      this.#hasGivenUp = true;
      this.release();
    }, this.#waitMs).unref();
  }

  /** Tells how full the queue is now: 0 to 1. */
  update(fill: number): void {
    if (fill <= RELEASE_AT) {
      this.#hasGivenUp = false;
      if (this.#isFull) this.release();
    } else if (fill >= HOLD_FROM && !this.#hasGivenUp) {
      this.#isFull = true;
    }
  }

  /** Lets everybody go. */
  release(): void {
    this.#isFull = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const feeders = this.#feeders;
    if (feeders === undefined) return;
    this.#feeders = undefined;
    for (const feeder of feeders) feeder.resume();
  }
}
