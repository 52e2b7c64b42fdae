import { leastSharePerBorrowerBytes } from '../../limits/broker.ts';

/** Who has queued a part of a lent chunk as it lies. */
export interface Borrower {
  /** Hands over what it has queued; whether the system has all of it, so that nobody looks at those bytes again. */
  giveBack(): boolean;
}

/**
 * The chunk that is being taken, where the transport wants to read into the same memory again. Whoever keeps a view of it longer
 * than the chunk is taken says so, and then the transport leaves it that memory. A channel may borrow a part for as long: what it
 * borrowed is written as soon as the chunk is taken, while it is in the cache of the processor.
 */
export class LentChunk {
  #bytes: Uint8Array | undefined;
  #isKept = false;
  readonly #borrowers = new Set<Borrower>();

  /** Runs `take`, which takes these bytes. Returns whether nobody needs them any more. */
  lend(bytes: Uint8Array, take: (bytes: Uint8Array) => void): boolean {
    this.#bytes = bytes;
    this.#isKept = false;
    try {
      take(bytes);
      return this.#isGivenBack();
    } finally {
      this.#bytes = undefined;
      this.#borrowers.clear();
    }
  }

  /** Somebody keeps a view of these bytes, which may be lent. */
  keep(bytes: Uint8Array): void {
    if (bytes === this.#bytes) this.#isKept = true;
  }

  /** The same without knowing whose bytes they are: whatever is being taken is kept. */
  keepAll(): void {
    this.#isKept = true;
  }

  /** Somebody queues a part of these bytes, which may be lent. */
  borrow(bytes: Uint8Array, borrower: Borrower): void {
    if (bytes === this.#bytes) this.#borrowers.add(borrower);
  }

  #isGivenBack(): boolean {
    if (this.#isKept) return false;
    // Many small writes cost more than memory that is new: those are gathered until the end of the turn.
    if (this.#borrowers.size * leastSharePerBorrowerBytes > this.#bytes!.length) return false;
    let isGivenBack = true;
    for (const borrower of this.#borrowers) {
      if (!borrower.giveBack()) isGivenBack = false;
    }
    return isGivenBack && !this.#isKept;
  }
}

/** Of this process: chunks are taken one by one. */
export const lentChunk = new LentChunk();
