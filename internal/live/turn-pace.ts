import type { Pace } from '../batch/pace.ts';
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
