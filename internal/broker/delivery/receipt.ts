import type { BrokerError } from '../../errors.ts';

/**
 * Tells the publisher of a message when the message is safe. A receiver that keeps messages
 * holds the receipt when it gets one, in the same turn, and releases it when the message is durable or lost. A message that
 * nobody keeps has a receipt that nobody holds.
 */
export class Receipt {
  /** Why the message is not safe; the first reason of several. Undefined while nobody has failed. */
  problem: BrokerError | undefined;
  /** Whether it was a log that could not keep it, which then has to get it again. */
  isLost = false;
  #holders = 0;
  #waiting: (() => void)[] | undefined;

  /** Whether everybody who keeps the message is done with it. */
  get isSettled(): boolean {
    return this.#holders === 0;
  }

  hold(): void {
    this.#holders++;
  }

  /** Ends a {@link hold}: the message is durable there, or is lost for a reason. */
  letGo(problem?: BrokerError): void {
    this.problem ??= problem;
    if (--this.#holders > 0 || this.#waiting === undefined) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const settled of waiting) settled();
  }

  /** Calls back when everybody is done with the message; at once where that is so already. */
  whenSettled(settled: () => void): void {
    if (this.#holders === 0) settled();
    else if (this.#waiting === undefined) this.#waiting = [settled];
    else this.#waiting.push(settled);
  }
}

/** The receipt of messages that nobody has to keep any more. */
export const SAFE = new Receipt();

/** The receipt of messages of which nobody knows whether their logs have them. */
export const UNKNOWN = new Receipt();
UNKNOWN.isLost = true;
