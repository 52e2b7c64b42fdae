import { availableParallelism } from 'node:os';
import { maxHashesAtOnce, maxWaitingHashes } from '../../limits/access.ts';

/** Thrown where so much waits to be hashed that a client had better try again. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

/**
 * Runs expensive work, little of it at once. A storm of logins must not take the cores that messages need, nor the threads
 * that the store needs, and whoever waits longer than clients do waits in vain.
 */
export class HashQueue {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    atOnce: number = Math.max(1, Math.min(maxHashesAtOnce, availableParallelism() - 1)),
    maxWaiting: number = maxWaitingHashes,
  ) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws BusyError at once, where too many wait. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await this.#turn();
    else this.#running++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) throw new BusyError();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Whoever waited longest takes the place over. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
