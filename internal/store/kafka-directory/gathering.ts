import { gatherAtMostMs, gatherShare } from '../../limits/store.ts';

/**
 * Has a group of changes wait for a moment for those who were just answered: a client that has some batches under way sends the
 * next ones as soon as it hears of the last ones. Without that the first of them would have a sync of the disk for itself, and
 * all others would wait for the one behind it. Where nobody comes in time, the next groups do not wait.
 */
export class Gathering {
  /** How many changes would be there if everybody came again. */
  #expected = 0;
  #endMs = 0;
  #missed = 0;
  #groupsToPass = 0;
  #waiting: { done: () => void; timer: NodeJS.Timeout } | undefined;

  /** A group was answered: so many changes of it, beside those that came meanwhile, and it took so long. */
  answered(count: number, waiting: number, tookMs: number): void {
    this.#expected = count + waiting;
    this.#endMs = performance.now() + Math.min(tookMs * gatherShare, gatherAtMostMs);
  }

  /** Resolves when the next group should be made, of which so many changes are there; undefined for at once. */
  untilGathered(count: number): Promise<void> | undefined {
    const leftMs = this.#endMs - performance.now();
    if (count >= this.#expected || leftMs <= 0) return undefined;
    if (this.#groupsToPass > 0) {
      this.#groupsToPass--;
      return undefined;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#groupsToPass = Math.min(2 ** ++this.#missed, MOST_PASSED);
        this.#end();
      }, leftMs);
      this.#waiting = { done: resolve, timer };
    });
  }

  /** Changes have come: so many are there now. */
  came(count: number): void {
    if (this.#waiting === undefined || count < this.#expected) return;
    this.#missed = 0;
    this.#end();
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(waiting?.timer);
    waiting?.done();
  }
}

/** Clients change: so often it is tried again. */
const MOST_PASSED = 64;
