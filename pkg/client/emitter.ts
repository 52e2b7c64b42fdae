type Listener<T> = (value: T) => void;

/** Calls listeners by the name of an event; small, typed, and the same in a browser. */
export class Emitter<Events extends object> {
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

  /** Whether somebody listens. */
  protected hasListeners(name: keyof Events): boolean {
    return this.#listeners.has(name);
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])])
      (listener as Listener<Events[Name]>)(value);
  }
}
