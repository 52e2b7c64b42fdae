import type { Source } from '../../broker/delivery/source.ts';

/** A publisher whose next request waits for the answer to this one: while a subscriber is full, the answer is held. */
export class HeldAnswer implements Source {
  #pauses = 0;
  #resumed: (() => void) | undefined;

  pause(): void {
    this.#pauses++;
  }

  resume(): void {
    if (--this.#pauses === 0) this.#resumed?.();
  }

  /** Resolves when nobody holds the answer any more. */
  async released(): Promise<void> {
    if (this.#pauses === 0) return;
    await new Promise<void>((resolve) => {
      this.#resumed = resolve;
    });
  }
}
