/** Told of a filter that got its first subscriber, or lost its last one. */
export type InterestListener = (filter: string, isWanted: boolean) => void;

/**
 * Which filters anybody is subscribed to, however many do. Those who do something only where it is wanted listen to the
 * changes: a subscriber more of a filter is none.
 */
export class Interest {
  readonly #subscribers = new Map<string, number>();
  readonly #listeners = new Set<InterestListener>();

  /** Different filters. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** All different filters. */
  filters(): Iterable<string> {
    return this.#subscribers.keys();
  }

  /** Calls `listener` for each change from now on. Returns what ends that. */
  onChange(listener: InterestListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(filter: string): void {
    const count = this.#subscribers.get(filter) ?? 0;
    this.#subscribers.set(filter, count + 1);
    if (count === 0) this.#tell(filter, true);
  }

  /** Ends one {@link add}. */
  remove(filter: string): void {
    const count = this.#subscribers.get(filter);
    if (count === undefined) return;
    if (count > 1) {
      this.#subscribers.set(filter, count - 1);
      return;
    }
    this.#subscribers.delete(filter);
    this.#tell(filter, false);
  }

  #tell(filter: string, isWanted: boolean): void {
    for (const listener of this.#listeners) listener(filter, isWanted);
  }
}
