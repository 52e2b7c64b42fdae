import type { Receipt } from '../../broker/delivery/receipt.ts';

/**
 * What is written to a client before the store has its will: the client then knows that it will be published whatever happens,
 * once it is told that it is let in. A store that fails keeps nobody out: it gets the will when it can be written again.
 */
export class HeldWrites {
  readonly #buffers: Uint8Array[] = [];

  /** @param release called when the will is safe, or the store has failed. */
  constructor(will: Receipt, release: () => void) {
    will.whenSettled(release);
  }

  add(buffers: readonly Uint8Array[]): void {
    this.#buffers.push(...buffers);
  }

  get buffers(): readonly Uint8Array[] {
    return this.#buffers;
  }
}
