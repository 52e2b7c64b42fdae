/** Calls back when nothing happened for a while. */
export class Silence {
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param afterMs undefined: never. */
  constructor(afterMs: number | undefined, callback: () => void) {
    if (afterMs !== undefined) this.#timer = setTimeout(callback, afterMs).unref();
  }

  /** Something happened. */
  broken(): void {
    this.#timer?.refresh();
  }
}
