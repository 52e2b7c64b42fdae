import { storeRestoreBytes } from '../limits/persistence.ts';

/**
 * Small values by their keys, for whoever keeps state of its own beside the logs. Keys are text without NUL, in the
 * order of their UTF-8.
 */
export interface EntryStore {
  /** Makes changes last, all in one transaction. @throws StoreError */
  putEntries(changes: readonly EntryChange[]): Promise<void>;
  /**
   * Entries in the order of their keys, from the first one behind `after` on; at most `maxBytes` of values, but always
   * one. Empty at the end. @throws StoreError
   */
  readEntries(after: string, maxBytes: number): Promise<Entry[]>;
}

export interface EntryChange {
  key: string;
  /** Undefined forgets the key. */
  value: Uint8Array | undefined;
}

export interface Entry {
  key: string;
  value: Uint8Array;
  /** Whether it is not what was written, as far as the store can tell. */
  isDamaged?: true;
}

/** All entries of a store, in their order; the next ones are read while some are taken. @throws StoreError */
export async function* pagesOfEntries(store: EntryStore): AsyncGenerator<Entry[]> {
  let entries = await store.readEntries('', storeRestoreBytes);
  while (entries.length > 0) {
    const next = store.readEntries(entries.at(-1)!.key, storeRestoreBytes);
    // Whoever takes them may end before.
    next.catch(() => {});
    yield entries;
    entries = await next;
  }
}

/** Entries or changes on their way to another thread: values one behind the other, which is much cheaper to pass on. */
export interface PackedEntries {
  keys: string[];
  /** -1 for a key to forget. */
  lengths: Int32Array;
  values: Uint8Array;
  /** The places of entries that are not what was written. */
  damaged: number[];
}

export function packEntries(changes: readonly (EntryChange | Entry)[]): PackedEntries {
  const keys: string[] = [];
  const lengths = new Int32Array(changes.length);
  let length = 0;
  for (const { value } of changes) length += value?.length ?? 0;
  const values = new Uint8Array(length);
  const damaged: number[] = [];
  let at = 0;
  for (const [index, change] of changes.entries()) {
    const { key, value } = change;
    if ('isDamaged' in change) damaged.push(index);
    keys.push(key);
    lengths[index] = value?.length ?? -1;
    if (value === undefined) continue;
    values.set(value, at);
    at += value.length;
  }
  return { keys, lengths, values, damaged };
}

/** Entries that came from another thread; their values lie in one buffer. */
export function unpackEntries({ keys, lengths, values, damaged }: PackedEntries): Entry[] {
  let at = 0;
  const entries: Entry[] = keys.map((key, index) => {
    const start = at;
    at += lengths[index]!;
    return { key, value: values.subarray(start, at) };
  });
  for (const index of damaged) entries[index]!.isDamaged = true;
  return entries;
}
