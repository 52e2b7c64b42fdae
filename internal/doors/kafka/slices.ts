import type { Pace } from '../../batch/pace.ts';
import { Fifo } from '../../lib/fifo.ts';
import { longestTurnMs } from '../../limits/broker.ts';

/**
 * Shares the event loop among requests. A turn gives them some time all together; what is left goes on in a later turn, so
 * that other connections are heard in between however many large or broken requests there are. What has not begun yet
 * goes before what has had a slice: short work never waits for long.
 */
export class Slices implements Pace {
  readonly #now: () => number;
  readonly #fresh = new Fifo<() => void>();
  readonly #long = new Fifo<() => void>();
  #beganAt = 0;
  #hasBegun = false;
  /** The last of those that run alone. */
  #alone: Promise<unknown> = Promise.resolve();

  /** @param now milliseconds of a clock that only goes forward. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether this turn has given enough time. The first look of a turn starts its clock. */
  get isOver(): boolean {
    const now = this.#now();
    if (!this.#hasBegun) this.#begin(now);
    return now - this.#beganAt > longestTurnMs;
  }

  /** Work begins: from here on the time of this turn counts. */
  start(): void {
    if (!this.#hasBegun) this.#begin(this.#now());
  }

  /** Does short work: at once where there is time, and otherwise in a later turn. */
  soon<T>(work: () => T): T | Promise<T> {
    if (!this.isOver && this.#fresh.length === 0) return work();
    return new Promise((resolve, reject) => {
      this.later(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Calls back in a later turn, before long work goes on. */
  later(goOn: () => void): void {
    this.#fresh.push(goOn);
    this.start();
  }

  turn(): Promise<void> {
    this.start();
    return new Promise((resolve) => this.#long.push(resolve));
  }

  /** Does long work that needs much memory when no other such work is under way. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#alone.then(work);
    this.#alone = done.catch(() => {});
    return done;
  }

  #begin(now: number): void {
    this.#hasBegun = true;
    this.#beganAt = now;
    setImmediate(this.#end);
  }

  /** The turn has ended, and sockets are read in the next, which begins with what waits. */
  readonly #end = (): void => {
    this.#hasBegun = false;
    if (this.#fresh.length + this.#long.length === 0) return;
    this.#begin(this.#now());
    while (this.#fresh.length > 0 && !this.isOver) this.#fresh.shift()!();
    // Long work goes on when this function has returned: one piece a turn.
    this.#long.shift()?.();
  };
}
