/** Lets many through at once, or one alone. Only one at a time may ask to be alone. */
export class Gate {
  #inside = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  #emptied: PromiseWithResolvers<void> | undefined;

  async pass<T>(work: () => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed.promise;
    this.#inside++;
    try {
      return await work();
    } finally {
      if (--this.#inside === 0) this.#emptied?.resolve();
    }
  }

  /** Waits until nobody is inside, and lets nobody in before `work` is done. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#closed = Promise.withResolvers();
    try {
      if (this.#inside > 0) {
        this.#emptied = Promise.withResolvers();
        await this.#emptied.promise;
      }
      return await work();
    } finally {
      this.#emptied = undefined;
      this.#closed.resolve();
      this.#closed = undefined;
    }
  }
}
