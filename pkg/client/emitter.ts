type Listener<T> = (value: T) => unknown;

/**
 * Calls listeners by the name of an event; small, typed, and the same in a browser. What a listener throws is
 * reported as an `error` and never reaches whoever emitted.
 */
export class Emitter<Events extends { error: unknown }> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Calls `listener` at every event of this name from now on. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(name, listeners);
    }
    listeners.add(listener);
    return this;
  }

  /** Takes a listener away. */
  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = this.#listeners.get(name);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(name);
    return this;
  }

  /** Who listens now. */
  protected listenersOf<Name extends keyof Events>(name: Name): Listener<Events[Name]>[] {
    return [...(this.#listeners.get(name) ?? [])] as Listener<Events[Name]>[];
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of this.listenersOf(name)) {
      try {
        const result = listener(value);
        if (result instanceof Promise) result.catch((error) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
  }

  #failed(name: keyof Events, error: unknown): void {
    if (name !== 'error') {
      this.emit('error', error as Events['error']);
      return;
    }
    // Nobody is left to tell but the platform, as for any callback that throws.
    queueMicrotask(() => {
      throw error;
    });
  }
}
