/** Something that a client may do so often in a row, and so often each second after that. */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #filledAt = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Takes from what is left. False where that is not enough. */
  spend(amount: number): boolean {
    this.#left -= amount;
    if (this.#left < 0) this.#refill();
    return this.#left >= 0;
  }

  /** The client did something that makes it worth more. */
  earn(amount: number): void {
    this.#left = Math.min(this.#burst, this.#left + amount);
  }

  /** Looks at the clock only when nothing is left, because this stands in the way of every frame. */
  #refill(): void {
    const now = performance.now();
    const earned = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    this.#filledAt = now;
    this.#left = Math.min(this.#burst, this.#left + earned);
  }
}
