import type { Entry, EntryChange, EntryStore } from '../entry-store.ts';

/** Entries in memory, for the tests of whoever keeps some. */
export class MemoryEntries implements EntryStore {
  readonly #values = new Map<string, Uint8Array>();

  get size(): number {
    return this.#values.size;
  }

  async putEntries(changes: readonly EntryChange[]): Promise<void> {
    for (const { key, value } of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value.slice());
    }
  }

  async readEntries(after: string, maxBytes: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const key of [...this.#values.keys()].sort()) {
      if (key <= after) continue;
      const value = this.#values.get(key)!;
      bytes += value.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push({ key, value: value.slice() });
    }
    return entries;
  }
}
