import { performance } from 'node:perf_hooks';
import { longestTurnMs } from '../../limits/broker.ts';

/**
 * Knows when a turn of the event loop has given messages enough time. What one message costs depends on what others have
 * subscribed to: it may match 100,000 filters, or go to 10,000 sessions. Looked at around such work only.
 */
export class TurnTime {
  /** Whether publishers give way after the message in hand. */
  isOver = false;
  readonly #now: () => number;
  readonly #afterReads: (callback: () => void) => void;
  #beganAt = 0;
  #hasBegun = false;

  /**
   * @param now milliseconds of a clock that only goes forward.
   * @param afterReads calls back after the reads of a turn.
   */
  constructor(
    now: () => number = () => performance.now(),
    afterReads: (callback: () => void) => void = (callback) => setImmediate(callback),
  ) {
    this.#now = now;
    this.#afterReads = afterReads;
  }

  /** Costly work begins; the first of a turn starts the clock. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#beganAt = this.#now();
    this.#afterReads(this.#end);
  }

  /** Costly work is done. */
  look(): void {
    if (!this.#hasBegun) this.begin();
    else if (!this.isOver) this.isOver = this.#now() - this.#beganAt > longestTurnMs;
  }

  readonly #end = (): void => {
    this.#hasBegun = false;
    this.isOver = false;
  };
}
