import type { Clock, ClockTimer } from './clock.ts';
import { Deadlines } from './deadlines.ts';

/** A timer sleeps no longer than this, so that it notices time in which the process did not run. */
const LONGEST_SLEEP_MS = 500;

/**
 * Many deadlines on one timer. Putting one off, as each heartbeat does, changes a number and nothing else: it is
 * looked at again when it would have been due before. Time in which this process did not run (it was stopped, its machine
 * was paused, one turn took very long) counts against nobody, as what clients sent meanwhile has not been read. All times
 * are milliseconds.
 */
export class DeadlineTimer {
  readonly clock: Clock;
  readonly #deadlines = new Deadlines<Deadline>();
  #timer: ClockTimer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** A deadline that is not set yet. `due` must not throw. */
  add(due: () => void): Deadline {
    return new Deadline(this, due);
  }

  /** Nothing becomes due any more. */
  close(): void {
    this.#timer?.cancel();
    for (const deadline of this.#deadlines.values()) deadline.dueAtMs = Number.POSITIVE_INFINITY;
    this.#deadlines.clear();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  /** How many are set. */
  get size(): number {
    return this.#deadlines.size;
  }

  /** Has a deadline looked at no later than it is due. */
  schedule(deadline: Deadline): void {
    this.#deadlines.add(deadline.dueAtMs, deadline);
    this.#arm();
  }

  unschedule(deadline: Deadline): void {
    this.#deadlines.delete(deadline);
  }

  #arm(): void {
    const { firstAtMs } = this.#deadlines;
    if (firstAtMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    const nowMs = this.clock.elapsedMs();
    const waitMs = Math.min(Math.max(0, Math.ceil(firstAtMs - nowMs)), LONGEST_SLEEP_MS);
    this.#timerAtMs = nowMs + waitMs;
    this.#timer = this.clock.after(waitMs, () => this.#look());
  }

  #look(): void {
    const nowMs = this.clock.elapsedMs();
    const lateMs = nowMs - this.#timerAtMs;
    // A little late is what a busy broker always is.
    if (lateMs > LONGEST_SLEEP_MS) this.#putOffAll(lateMs);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    for (const deadline of this.#deadlines.due(nowMs)) {
      if (deadline.dueAtMs > nowMs) this.#deadlines.add(deadline.dueAtMs, deadline);
      else deadline.fire();
    }
    this.#arm();
  }

  #putOffAll(byMs: number): void {
    for (const deadline of this.#deadlines.values()) deadline.dueAtMs += byMs;
    this.#deadlines.putOff(byMs);
  }
}

/** One deadline; set, put off, moved forward and cleared as often as one likes. */
export class Deadline {
  readonly #timer: DeadlineTimer;
  readonly #due: () => void;
  /** Infinity while it is not set. Only {@link DeadlineTimer} changes it. */
  dueAtMs = Number.POSITIVE_INFINITY;

  constructor(timer: DeadlineTimer, due: () => void) {
    this.#timer = timer;
    this.#due = due;
  }

  /** Due so long from now, whatever was set before. */
  set(afterMs: number): void {
    this.dueAtMs = this.#timer.clock.elapsedMs() + afterMs;
    this.#timer.schedule(this);
  }

  /** Due so long from now at the latest. */
  setNoLaterThan(afterMs: number): void {
    if (this.dueAtMs > this.#timer.clock.elapsedMs() + afterMs) this.set(afterMs);
  }

  clear(): void {
    this.dueAtMs = Number.POSITIVE_INFINITY;
    this.#timer.unschedule(this);
  }

  get isSet(): boolean {
    return this.dueAtMs !== Number.POSITIVE_INFINITY;
  }

  fire(): void {
    this.dueAtMs = Number.POSITIVE_INFINITY;
    this.#due();
  }
}
