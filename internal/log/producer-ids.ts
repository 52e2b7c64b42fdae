import type { LogStore } from '../store/log-store.ts';
import { storedNumber } from '../store/stored-number.ts';

const META_KEY = 'next-producer-id';
/** Ids that one write to the store sets aside; those that are left at a restart are never given. */
const BLOCK = 1_000;

/** Gives ids to idempotent producers, each once, whatever nodes share the store. */
export class ProducerIds {
  readonly #store: LogStore;
  readonly #firstId: number;
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | undefined;

  /** @param firstId those below it were given by somebody else. */
  constructor(store: LogStore, firstId = 0) {
    this.#store = store;
    this.#firstId = firstId;
  }

  /** @throws StoreUnavailableError where no more ids can be set aside now. */
  async next(): Promise<number> {
    while (this.#next === this.#end) {
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
    return this.#next++;
  }

  async #reserve(): Promise<void> {
    for (;;) {
      const stored = await this.#store.getMeta(META_KEY);
      const unused = stored === undefined ? 0 : storedNumber(META_KEY, stored);
      const first = Math.max(unused, this.#firstId);
      // Another node may have set aside the same ones meanwhile.
      if (!(await this.#store.swapMeta(META_KEY, stored, Buffer.from(String(first + BLOCK))))) continue;
      this.#next = first;
      this.#end = first + BLOCK;
      return;
    }
  }
}
