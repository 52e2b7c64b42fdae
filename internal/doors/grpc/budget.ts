/** An amount of bytes that everybody together may hold. */
export class Budget {
  readonly limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether `bytes` more would go beyond the limit. */
  wouldExceed(bytes: number): boolean {
    return this.#heldBytes + bytes > this.limitBytes;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
