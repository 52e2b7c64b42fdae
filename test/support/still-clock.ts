import type { Clock, ClockTimer } from '../../internal/lib/clock.ts';

/** A clock that stands still until a test moves it: however long the machine takes for something, no time goes by. */
export class StillClock implements Clock {
  readonly #timers = new Set<{ dueAtMs: number; everyMs: number | undefined; run: () => void }>();
  readonly #beganAtMs = Date.now();
  #elapsedMs = 0;

  now(): number {
    return this.#beganAtMs + this.#elapsedMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  after(ms: number, run: () => void): ClockTimer {
    return this.#start(ms, undefined, run);
  }

  every(ms: number, run: () => void): ClockTimer {
    return this.#start(ms, Math.max(1, ms), run);
  }

  /** Moves it on: what is due in that time is called in its order, each with a turn of the event loop after it. */
  async advance(ms: number): Promise<void> {
    const toMs = this.#elapsedMs + ms;
    for (let next = this.#nextBy(toMs); next !== undefined; next = this.#nextBy(toMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueAtMs);
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.dueAtMs += next.everyMs;
      next.run();
      await new Promise(setImmediate);
    }
    this.#elapsedMs = toMs;
    await new Promise(setImmediate);
  }

  #start(ms: number, everyMs: number | undefined, run: () => void): ClockTimer {
    const timer = { dueAtMs: this.#elapsedMs + Math.max(0, ms), everyMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  #nextBy(toMs: number) {
    const due = [...this.#timers].filter(({ dueAtMs }) => dueAtMs <= toMs);
    return due.sort((one, other) => one.dueAtMs - other.dueAtMs)[0];
  }
}
