/** Steps of each doubling: a value is known to better than 2 percent. */
const STEPS = 64;
/** From a microsecond on; more than an hour counts as an hour. */
const DOUBLINGS = 32;

/** Times in microseconds, counted in steps that grow with them: all of a long run in little memory. */
export class Latencies {
  readonly #counts = new Float64Array(STEPS * DOUBLINGS);
  count = 0;
  sumUs = 0;
  maxUs = 0;
  minUs = Number.POSITIVE_INFINITY;

  add(us: number): void {
    this.#counts[stepOf(us)]!++;
    this.count++;
    this.sumUs += us;
    if (us > this.maxUs) this.maxUs = us;
    if (us < this.minUs) this.minUs = us;
  }

  /** The time that a share of all do not exceed, by the nearest rank; NaN of nothing. */
  percentileUs(share: number): number {
    if (this.count === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(share * this.count));
    for (const [step, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.maxUs, endOf(step));
    }
    return this.maxUs;
  }

  /** How many took at most so long, in doublings; those at both ends that are empty are left out. */
  histogram(): { atMostUs: number; count: number }[] {
    const buckets = Array.from({ length: DOUBLINGS }, (_, doubling) => ({
      atMostUs: 2 ** doubling,
      count: this.#counts.subarray(doubling * STEPS, (doubling + 1) * STEPS).reduce((sum, n) => sum + n, 0),
    }));
    const first = buckets.findIndex(({ count }) => count > 0);
    return first === -1 ? [] : buckets.slice(first, buckets.findLastIndex(({ count }) => count > 0) + 1);
  }
}

/** Step 0 of doubling n begins behind 2^(n-1); all up to a microsecond is in the first. */
function stepOf(us: number): number {
  if (us <= 1) return STEPS - 1;
  const doubling = Math.ceil(Math.log2(us));
  if (doubling >= DOUBLINGS) return STEPS * DOUBLINGS - 1;
  const from = 2 ** (doubling - 1);
  return doubling * STEPS + Math.min(STEPS - 1, Math.ceil(((us - from) / from) * STEPS) - 1);
}

function endOf(step: number): number {
  const doubling = Math.floor(step / STEPS);
  const from = doubling === 0 ? 0 : 2 ** (doubling - 1);
  const to = 2 ** doubling;
  return from + ((to - from) * ((step % STEPS) + 1)) / STEPS;
}
