/** Counts measured values by their size, in the manner of Prometheus: how many were at most so large. */
export class Histogram {
  /** Upper bounds, from the smallest on; above the last one there is no bound. */
  readonly bounds: readonly number[];
  /** How many values lie between the bound before and this one; the last counts those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** How many values there were. */
  get count(): number {
    let count = 0;
    for (const each of this.counts) count += each;
    return count;
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > this.bounds[index]!) index++;
    this.counts[index]!++;
    this.sum += value;
  }

  /** How many values were at most as large as each bound; the last bound is infinite. */
  *cumulated(): Generator<{ atMost: number; count: number }> {
    let count = 0;
    for (const [index, each] of this.counts.entries()) {
      count += each;
      yield { atMost: this.bounds[index] ?? Number.POSITIVE_INFINITY, count };
    }
  }
}

/** From what a store in memory takes to what a disk that is in trouble takes, in seconds. */
export const SECONDS_OF_A_WRITE = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** From a planned move, which takes one write, to servers that elect their leaders first, in seconds. */
export const SECONDS_OF_A_CLAIM = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];
