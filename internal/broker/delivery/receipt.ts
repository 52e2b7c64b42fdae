import type { BrokerError } from '../../errors.ts';

/** Told that nobody holds a receipt any more, and the problem if there was one. */
type Settled = (problem?: BrokerError) => void;

/**
 * A unit of work that somebody waits for: a message, a subscription, a will. Whatever has to keep a part of it gets the
 * receipt with that part, holds it in the same turn, and lets it go when the part is durable, needed no longer, or lost.
 * So it says when all of it is safe, whatever else is written meanwhile and however long the work takes. Work that nobody
 * keeps has a receipt that nobody holds.
 */
export class Receipt {
  /** Why the work is not safe; the first reason of several. Undefined while nobody has failed. */
  problem: BrokerError | undefined;
  /** Whether a log is to keep the message, or was. */
  isForLog = false;
  /** Whether it was a log that could not keep it, which then has to get it again. */
  isLost = false;
  /** Whether anybody ever held it: one that nobody did may be used for other work. */
  isUsed = false;
  #holders = 0;
  /** The first who waits, as a rule the only one, and the others. */
  #waiting: Settled | undefined;
  #moreWaiting: Settled[] | undefined;

  /** Whether everybody who keeps a part of it is done with that. */
  get isSettled(): boolean {
    return this.#holders === 0;
  }

  hold(): void {
    this.isUsed = true;
    this.#holders++;
  }

  /** Ends a {@link hold}: the part is durable there, or is lost for a reason. */
  letGo(problem?: BrokerError): void {
    this.problem ??= problem;
    if (--this.#holders > 0 || this.#waiting === undefined) return;
    const first = this.#waiting;
    const others = this.#moreWaiting;
    this.#waiting = undefined;
    this.#moreWaiting = undefined;
    first(this.problem);
    if (others !== undefined) for (const settled of others) settled(this.problem);
  }

  /** Calls back when everybody is done with it, with the problem if there is one; at once where that is so already. */
  whenSettled(settled: Settled): void {
    if (this.#holders === 0) {
      settled(this.problem);
    } else if (this.#waiting === undefined) {
      this.#waiting = settled;
    } else {
      this.#moreWaiting ??= [];
      this.#moreWaiting.push(settled);
    }
  }

  /** Resolves when everybody is done with it, whether it is safe then or not. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.whenSettled(() => resolve()));
  }
}
