import type { Pace } from '../batch/pace.ts';
import type { Source } from '../broker/delivery/source.ts';
import { longestTurnMs } from '../limits/broker.ts';

/** Lets long work have some time of each turn of the event loop, and no more. */
export class TurnPace implements Pace {
  #beganAtMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganAtMs > longestTurnMs;
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#beganAtMs = performance.now();
  }
}

/** The source of work that goes on over many turns: who holds it back also holds the work. */
export class WaitingSource implements Source {
  readonly #source: Source;
  #pauses = 0;
  #wake: (() => void) | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  get patience(): Source['patience'] {
    return this.#source.patience;
  }

  pause(): void {
    this.#pauses++;
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
    if (--this.#pauses > 0) return;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when nobody holds it back. */
  async free(): Promise<void> {
    if (this.#pauses > 0) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
