import { TimeoutError } from './errors.ts';
import { timerMs } from './timing.ts';
import type { Platform } from './wire.ts';

/** A promise with its ends in hand. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function defer<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever made the request has this promise; one that nobody awaits must not end the process.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

interface Request {
  filter: string;
  deferred: Deferred<void>;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * Requests of one kind that wait for their answers, which come in order. One that took too long keeps its place:
 * its answer may still come, and belongs to nobody else.
 */
export class Requests {
  readonly #what: string;
  readonly #timeoutMs: number;
  readonly #platform: Platform;
  #waiting: Request[] = [];

  /** @param what the kind of answer, for the error of one that does not come. */
  constructor(what: string, timeoutMs: number, platform: Platform) {
    this.#what = what;
    this.#timeoutMs = timeoutMs;
    this.#platform = platform;
  }

  /** Waits for the answer that names this filter. */
  add(filter = ''): Promise<void> {
    const deferred = defer<void>();
    const timer = setTimeout(
      () => deferred.reject(new TimeoutError(`no ${this.#what} came`, this.#timeoutMs)),
      timerMs(this.#timeoutMs),
    );
    this.#platform.unref(timer);
    this.#waiting.push({ filter, deferred, timer });
    return deferred.promise;
  }

  /** Whether an answer that names this filter is still to come, however long ago it was asked for. */
  isWaiting(filter: string): boolean {
    return this.#waiting.some((request) => request.filter === filter);
  }

  /** An answer came. A broker of the original kind names no filter; then it answers the oldest request. */
  answer(filter: string): void {
    const index = filter === '' ? 0 : this.#waiting.findIndex((request) => request.filter === filter);
    const request = this.#waiting[index];
    if (request === undefined) return;
    this.#waiting.splice(index, 1);
    clearTimeout(request.timer);
    request.deferred.resolve();
  }

  /** None of the answers will come. */
  failAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { deferred, timer } of waiting) {
      clearTimeout(timer);
      deferred.reject(error);
    }
  }
}
