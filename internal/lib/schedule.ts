import type { Clock, ClockTimer } from './clock.ts';
import { Deadlines } from './deadlines.ts';

/** The time of day may be set while nothing is due: it is looked at this often. */
const LONGEST_SLEEP_MS = 10_000;

/** Values of one kind that are due at a time of day. */
export interface DueTimes<T> {
  /**
   * Has a value handed to its kind at a time, or earlier if that was asked for before. Whoever gets it looks whether it is
   * due by then, and adds it again if it is not.
   */
  add(atMs: number, value: T): void;
}

/**
 * Everything that is due at a time of day, whatever it is: one timer for all kinds. What is kept here is only when to look;
 * what it is about lies with its owner, and in the store if it has to outlast the broker.
 */
export class Schedule {
  readonly clock: Clock;
  readonly #kinds: Pick<Kind<unknown>, 'firstAtMs' | 'look'>[] = [];
  #timer: ClockTimer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @param due is called with each value of this kind when its time has come. Must not throw. */
  kind<T>(due: (value: T, nowMs: number) => void): DueTimes<T> {
    const kind = new Kind(due, () => this.#arm());
    this.#kinds.push(kind);
    return kind;
  }

  /** Nothing becomes due any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    let firstAtMs = Number.POSITIVE_INFINITY;
    for (const { firstAtMs: each } of this.#kinds) firstAtMs = Math.min(firstAtMs, each);
    if (this.#isClosed || firstAtMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    const nowMs = this.clock.now();
    const waitMs = Math.min(Math.max(0, firstAtMs - nowMs), LONGEST_SLEEP_MS);
    this.#timerAtMs = nowMs + waitMs;
    this.#timer = this.clock.after(waitMs, () => this.#look());
  }

  #look(): void {
    // What is added while this goes on is looked at afterwards.
    this.#timerAtMs = Number.NEGATIVE_INFINITY;
    const nowMs = this.clock.now();
    for (const kind of this.#kinds) kind.look(nowMs);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#arm();
  }
}

class Kind<T> implements DueTimes<T> {
  readonly #times = new Deadlines<T>();
  readonly #due: (value: T, nowMs: number) => void;
  readonly #added: () => void;

  constructor(due: (value: T, nowMs: number) => void, added: () => void) {
    this.#due = due;
    this.#added = added;
  }

  get firstAtMs(): number {
    return this.#times.firstAtMs;
  }

  add(atMs: number, value: T): void {
    this.#times.add(atMs, value);
    this.#added();
  }

  look(nowMs: number): void {
    for (const value of [...this.#times.due(nowMs)]) this.#due(value, nowMs);
  }
}
