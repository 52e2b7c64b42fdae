/** Restores the time that a publisher lost by waiting: all of it within ten times as long. */
const RECOVERY = 0.1;
/** The parts of a wait that every subscriber gets: one that came down in time when it was last waited for, and any other. */
const TRUSTED_PART = 0.1;
const LEAST_PART = 0.02;

/**
 * How long one publisher waits for subscribers that take nothing: for all of them together as long as for one. Who waits for
 * a subscriber that then goes on loses nothing; time that was waited in vain is not waited for the next one.
 */
export class Patience {
  #lostMs = 0;
  /** When that was so, by `performance.now()`; time before it is not lost twice. */
  #asOfMs = 0;

  /**
   * How long the publisher waits for a subscriber now.
   *
   * @param waitMs how long it waits for one if it lost nothing.
   * @param isTrusted whether this subscriber came down in time when it was last waited for.
   */
  leftMs(waitMs: number, nowMs: number, isTrusted: boolean): number {
    const leastMs = waitMs * (isTrusted ? TRUSTED_PART : LEAST_PART);
    return Math.max(leastMs, waitMs - this.#lostAt(nowMs));
  }

  /** It waited from one time to the other, in vain. */
  lose(fromMs: number, untilMs: number): void {
    const lostMs = untilMs - Math.max(fromMs, this.#asOfMs);
    if (lostMs <= 0) return;
    this.#lostMs = this.#lostAt(untilMs) + lostMs;
    this.#asOfMs = untilMs;
  }

  #lostAt(nowMs: number): number {
    return Math.max(0, this.#lostMs - (nowMs - this.#asOfMs) * RECOVERY);
  }
}
