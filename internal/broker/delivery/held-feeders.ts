import type { Source } from './source.ts';

/** Publishers that wait for one subscriber, no longer than the least patient of them does. */
export class HeldFeeders {
  /** Since when each waits, by `performance.now()`. */
  readonly #heldAtMs = new Map<Source, number>();

  get isEmpty(): boolean {
    return this.#heldAtMs.size === 0;
  }

  has(feeder: Source): boolean {
    return this.#heldAtMs.has(feeder);
  }

  add(feeder: Source, nowMs: number): void {
    this.#heldAtMs.set(feeder, nowMs);
    feeder.pause();
  }

  /** Lets all go on: the subscriber took what waited. */
  release(): void {
    const feeders = [...this.#heldAtMs.keys()];
    this.#heldAtMs.clear();
    for (const feeder of feeders) feeder.resume();
  }

  /** Lets all go on, who waited in vain. */
  giveUp(nowMs: number): void {
    for (const [feeder, heldAtMs] of this.#heldAtMs) feeder.patience?.lose(heldAtMs, nowMs);
    this.release();
  }
}
