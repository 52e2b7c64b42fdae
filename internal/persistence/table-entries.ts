import { sharedPutsAtOnce } from '../limits/persistence.ts';
import type { Entry, EntryChange, EntryStore } from '../store/entry-store.ts';

/** What a queue writes to: a table that nodes share, in which each change is one of its own. */
export class EntriesOfTable implements EntryStore {
  readonly #put: (change: EntryChange) => Promise<void>;
  #last: Promise<void> = Promise.resolve();

  constructor(put: (change: EntryChange) => Promise<void>) {
    this.#put = put;
  }

  /** One after the other: two changes of a key stay in their order. */
  putEntries(changes: readonly EntryChange[]): Promise<void> {
    const writing = this.#last.then(() => this.#putAll(changes));
    this.#last = writing.catch(() => {});
    return writing;
  }

  async readEntries(): Promise<Entry[]> {
    return [];
  }

  async #putAll(changes: readonly EntryChange[]): Promise<void> {
    for (let at = 0; at < changes.length; at += sharedPutsAtOnce) {
      await Promise.all(changes.slice(at, at + sharedPutsAtOnce).map((change) => this.#put(change)));
    }
  }
}
