import type { Clock } from '../../lib/clock.ts';
import { deadlineSweepMs } from '../../limits/doors.ts';

/**
 * Time in which this process did not run: it was stopped, its machine was paused, or one turn took very long. What
 * clients sent meanwhile has not been read, so it does not count against them. Each sweep of deadlines has one of its own.
 */
export class LostTime {
  readonly #clock: Clock;
  #lastSweepAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastSweepAt = clock.elapsedMs();
  }

  /** Called by every sweep: the milliseconds that were lost since the one before. */
  sinceLastSweep(): number {
    const now = this.#clock.elapsedMs();
    const lateMs = now - this.#lastSweepAt - deadlineSweepMs;
    this.#lastSweepAt = now;
    // A little late is what a busy broker always is.
    return lateMs > deadlineSweepMs ? lateMs : 0;
  }
}
