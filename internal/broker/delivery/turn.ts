/** Something that gathers work during a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Calls everybody who has something to write once per turn of the event loop, after all of the turn's reads.
 * Without it a publisher with a thousand interleaved topics causes a thousand writes; with it, one for each
 * subscriber.
 */
export class Turn {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;
  readonly #afterReads: (callback: () => void) => void;

  /** @param afterReads calls back after the reads of a turn. */
  constructor(afterReads: (callback: () => void) => void = (callback) => setImmediate(callback)) {
    this.#afterReads = afterReads;
  }

  /** Has `flush` called at the end of this turn. Not to be added twice in one turn. */
  add(flushable: Flushable): void {
    this.#dirty.push(flushable);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#afterReads(this.#run);
  }

  readonly #run = (): void => {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    this.#scheduled = false;
    for (const flushable of dirty) flushable.flush();
    dirty.length = 0;
    this.#spare = dirty;
  };
}
