import { availableParallelism } from 'node:os';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { maxHashesAtOnce, maxHashWaitMs, maxWaitingHashes } from '../../limits/access.ts';

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
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(
    atOnce: number = Math.max(1, Math.min(maxHashesAtOnce, availableParallelism() - 1)),
    maxWaiting: number = maxWaitingHashes,
    clock: Clock = systemClock,
  ) {
    this.#clock = clock;
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws BusyError at once where too many wait, and later where the turn comes too late. */
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
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ sinceMs: this.#clock.elapsedMs(), resolve, reject });
    return promise;
  }

  /** Whoever waited longest takes the place over; for those who waited too long nothing is done any more. */
  #next(): void {
    const latestMs = this.#clock.elapsedMs() - maxHashWaitMs;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.sinceMs >= latestMs) {
        next.resolve();
        return;
      }
      next.reject(new BusyError());
    }
    this.#running--;
  }
}

interface Waiting {
  readonly sinceMs: number;
  resolve(): void;
  reject(error: BusyError): void;
}
