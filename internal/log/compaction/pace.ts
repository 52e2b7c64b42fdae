import { compactionSliceMs } from '../../limits/log.ts';

/** Work in slices, with turns of the event loop in between for everything else. */
export class Pace {
  #startedMs = performance.now();

  /** Whether it is time to {@link rest}. */
  isOver(): boolean {
    return performance.now() - this.#startedMs > compactionSliceMs;
  }

  /** Resolves after what waits has had its turn. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#startedMs = performance.now();
  }
}
