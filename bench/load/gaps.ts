import { performance } from 'node:perf_hooks';

/** Notes the longest time in which nothing arrived. */
export class Gaps {
  longestMs = 0;
  #lastMs = performance.now();

  arrived(): void {
    const now = performance.now();
    if (now - this.#lastMs > this.longestMs) this.longestMs = now - this.#lastMs;
    this.#lastMs = now;
  }

  /** Begins anew. */
  reset(): void {
    this.longestMs = 0;
    this.#lastMs = performance.now();
  }
}
