import { performance } from 'node:perf_hooks';

export const BURSTS_PER_SECOND = 1_000;

/**
 * Calls `burst` so often a second, for a while; resolves with the number of calls. It does not wait for timers, which
 * come up to a millisecond late, but looks at the clock in every turn of the event loop.
 */
export function burstsInTime(seconds: number, burst: () => void): Promise<number> {
  const startMs = performance.now();
  const count = Math.round(seconds * BURSTS_PER_SECOND);
  let done = 0;
  return new Promise((resolve) => {
    const turn = (): void => {
      const elapsedMs = performance.now() - startMs;
      const due = Math.min(count, Math.floor((elapsedMs * BURSTS_PER_SECOND) / 1000));
      for (; done < due; done++) burst();
      if (done === count) resolve(count);
      else setImmediate(turn);
    };
    turn();
  });
}
