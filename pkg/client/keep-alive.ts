import { timerMs } from './timing.ts';

/** Silence is looked at so many times in `keepAliveMs`. */
const TICKS = 4;

/** Where the ticks come from. */
export interface IntervalTimers {
  setInterval(callback: () => void, ms: number): ReturnType<typeof setInterval>;
  clearInterval(timer: ReturnType<typeof setInterval> | undefined): void;
}

export interface KeepAliveEvents {
  /** Whether the client reads its connection; while it does not, it cannot know whether the broker lives. */
  isReading(): boolean;
  /** It is time for a PING. */
  ask(): void;
  /** A PING was not answered. */
  silent(): void;
}

/**
 * Notices a broker that is gone without a word, and lets the broker notice that this client is not: a PING goes out
 * before `keepAliveMs` pass without a byte from the broker, or without a byte to it (a broker with `-keepalive`
 * closes connections that say nothing, however much they receive).
 *
 * Time is counted in ticks of a timer, not by the clock: a program that was busy or a computer that slept for long
 * then has one tick, in which what has arrived meanwhile can still be read.
 */
export class KeepAlive {
  readonly #keepAliveMs: number;
  readonly #unref: (timer: ReturnType<typeof setTimeout>) => void;
  readonly #events: KeepAliveEvents;
  readonly #timers: IntervalTimers;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ticksUnheard = 0;
  #ticksUnsent = 0;
  /** Undefined while no answer is awaited. */
  #ticksAsking: number | undefined;

  /**
   * @param keepAliveMs 0: never ask.
   * @param timers the runtime's, unless a test brings its own.
   */
  constructor(
    keepAliveMs: number,
    unref: (timer: ReturnType<typeof setTimeout>) => void,
    events: KeepAliveEvents,
    timers: IntervalTimers = globalThis,
  ) {
    this.#keepAliveMs = keepAliveMs;
    this.#unref = unref;
    this.#events = events;
    this.#timers = timers;
  }

  /** A connection is open. */
  start(): void {
    this.stop();
    if (this.#keepAliveMs === 0) return;
    this.heard();
    this.sent();
    this.#timer = this.#timers.setInterval(() => this.#tick(), timerMs(this.#keepAliveMs / TICKS));
    this.#unref(this.#timer);
  }

  stop(): void {
    this.#timers.clearInterval(this.#timer);
  }

  heard(): void {
    this.#ticksUnheard = 0;
    this.#ticksAsking = undefined;
  }

  sent(): void {
    this.#ticksUnsent = 0;
  }

  #tick(): void {
    if (!this.#events.isReading()) this.heard();
    this.#ticksUnheard++;
    this.#ticksUnsent++;
    if (this.#ticksAsking !== undefined) {
      if (++this.#ticksAsking >= TICKS) this.#events.silent();
      return;
    }
    const isQuiet = this.#ticksUnheard >= TICKS - 1;
    if (!isQuiet && this.#ticksUnsent < TICKS - 1) return;
    if (isQuiet) this.#ticksAsking = 0;
    this.sent();
    this.#events.ask();
  }
}
