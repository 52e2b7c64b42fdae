/** A call that a clock makes later. */
export interface ClockTimer {
  /** Makes it no more. May be called at any time, as often as one likes. */
  cancel(): void;
}

/**
 * What time it is, and calls at a time. Everything in the broker that waits for a time of day or for the end of a while
 * asks the one clock it was given, so that a test can move all of it at once. What measures how long the machine took
 * (paces, rates) asks `performance.now()`, which nobody moves.
 *
 * Its timers do not keep the process running.
 */
export interface Clock {
  /** The time of day, in milliseconds since 1970: for what is stored and sent. */
  now(): number;
  /** Milliseconds since some moment, which only grow: for the ends of whiles inside this process. */
  elapsedMs(): number;
  /** Calls once, after so many milliseconds; any number of them. */
  after(ms: number, run: () => void): ClockTimer;
  /** Calls again and again. */
  every(ms: number, run: () => void): ClockTimer;
}

/** The runtime's timers hold 31 bits; a longer one would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
  after(ms, run) {
    let timer = setTimeout(look, Math.min(ms, LONGEST_TIMER_MS)).unref();
    let leftMs = ms;
    function look(): void {
      leftMs -= LONGEST_TIMER_MS;
      if (leftMs > 0) timer = setTimeout(look, Math.min(leftMs, LONGEST_TIMER_MS)).unref();
      else run();
    }
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, run) {
    const timer = setInterval(run, Math.min(ms, LONGEST_TIMER_MS)).unref();
    return { cancel: () => clearInterval(timer) };
  },
};

/**
 * A clock for tests. It runs as that of the machine does, and {@link MovableClock.advance} moves it on: what was to be
 * called in that time is called at once, in its order, and sees the time that it was to be called at.
 */
export class MovableClock implements Clock {
  readonly #timers = new Set<MovableTimer>();
  #movedMs = 0;
  /** The time of day at the start of {@link elapsedMs}. */
  readonly #beganAtMs: number;

  /** @param nowMs the time of day that it begins at. Default: the machine's. */
  constructor(nowMs = Date.now()) {
    this.#beganAtMs = nowMs - performance.now();
  }

  now(): number {
    return Math.floor(this.#beganAtMs + this.elapsedMs());
  }

  elapsedMs(): number {
    return performance.now() + this.#movedMs;
  }

  after(ms: number, run: () => void): ClockTimer {
    return this.#start(ms, undefined, run);
  }

  every(ms: number, run: () => void): ClockTimer {
    return this.#start(ms, Math.max(1, ms), run);
  }

  /**
   * Moves the clock on. Between calls that are due at different times the event loop gets a turn, so that what one of
   * them began (a write, an answer) goes on before the next; in a long move some share a turn.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`a clock moves forward, not by ${ms} ms`);
    let toElapsedMs = this.elapsedMs() + ms;
    const turnEveryMs = ms / MOST_TURNS;
    let turnAtMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      const timer = this.#firstDueBy(toElapsedMs);
      if (timer === undefined) break;
      if (timer.dueAtMs > turnAtMs) {
        const beforeMs = performance.now();
        await new Promise(afterTurn);
        // Time that went by meanwhile is not a part of the move.
        toElapsedMs += performance.now() - beforeMs;
        turnAtMs = Math.max(timer.dueAtMs, turnAtMs + turnEveryMs);
        continue;
      }
      this.#moveTo(timer.dueAtMs);
      timer.fire();
    }
    this.#moveTo(toElapsedMs);
    for (const timer of this.#timers) timer.arm();
    await new Promise(afterTurn);
  }

  #start(ms: number, everyMs: number | undefined, run: () => void): ClockTimer {
    const timer = new MovableTimer(this, this.#timers, this.elapsedMs() + Math.max(0, ms), everyMs, run);
    this.#timers.add(timer);
    timer.arm();
    return timer;
  }

  #firstDueBy(elapsedMs: number): MovableTimer | undefined {
    let first: MovableTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAtMs <= elapsedMs && (first === undefined || timer.dueAtMs < first.dueAtMs)) first = timer;
    }
    return first;
  }

  #moveTo(elapsedMs: number): void {
    this.#movedMs += Math.max(0, elapsedMs - this.elapsedMs());
  }
}

/** A move of a month has a sweep for each second of it: more turns than these would make it long. */
const MOST_TURNS = 10_000;

/** The runtime's own: a test may put fake timers in its place. */
const afterTurn = globalThis.setImmediate;

class MovableTimer implements ClockTimer {
  readonly #clock: MovableClock;
  readonly #all: Set<MovableTimer>;
  readonly #everyMs: number | undefined;
  readonly #run: () => void;
  #timer: ClockTimer | undefined;
  dueAtMs: number;

  constructor(
    clock: MovableClock,
    all: Set<MovableTimer>,
    dueAtMs: number,
    everyMs: number | undefined,
    run: () => void,
  ) {
    this.#clock = clock;
    this.#all = all;
    this.dueAtMs = dueAtMs;
    this.#everyMs = everyMs;
    this.#run = run;
  }

  /** Has it fire by itself, as long as nobody moves the clock. */
  arm(): void {
    this.#timer?.cancel();
    const leftMs = Math.max(0, Math.ceil(this.dueAtMs - this.#clock.elapsedMs()));
    this.#timer = systemClock.after(leftMs, () => {
      if (this.dueAtMs <= this.#clock.elapsedMs()) this.fire();
      if (this.#all.has(this)) this.arm();
    });
  }

  fire(): void {
    if (this.#everyMs === undefined) this.cancel();
    else this.dueAtMs += this.#everyMs;
    this.#run();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#all.delete(this);
  }
}
