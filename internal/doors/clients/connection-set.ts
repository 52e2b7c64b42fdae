/** The open connections of a door. */
export class ConnectionSet<C> implements Iterable<C> {
  readonly #connections = new Set<C>();
  #whenEmpty: (() => void) | undefined;

  get size(): number {
    return this.#connections.size;
  }

  add(connection: C): void {
    this.#connections.add(connection);
  }

  delete(connection: C): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  [Symbol.iterator](): SetIterator<C> {
    return this.#connections.values();
  }

  every(condition: (connection: C) => boolean): boolean {
    for (const connection of this.#connections) {
      if (!condition(connection)) return false;
    }
    return true;
  }

  /**
   * Waits until the last connection is gone.
   *
   * @param deadline when to give up, by `performance.now()`.
   */
  async untilEmpty(deadline: number): Promise<void> {
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
