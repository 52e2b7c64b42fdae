import type { LogStore } from './log-store.ts';

/** Compare and set of small values, for a store that no other process writes to: one after the other. */
export class MetaSwaps {
  readonly #store: Pick<LogStore, 'getMeta' | 'putMeta'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Pick<LogStore, 'getMeta' | 'putMeta'>) {
    this.#store = store;
  }

  swap(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    const swapping = this.#last.then(() => this.#swap(key, before, after));
    this.#last = swapping.catch(() => {});
    return swapping;
  }

  async #swap(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    if (!isSameValue(await this.#store.getMeta(key), before)) return false;
    await this.#store.putMeta(key, after);
    return true;
  }
}

/** Whether a small value is another one, or both are none. */
export function isSameValue(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}
