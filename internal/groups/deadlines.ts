import { type Clock, type ClockTimer, systemClock } from '../lib/clock.ts';
import { deadlineSweepMs } from '../limits/doors.ts';

/**
 * Many deadlines on one timer. Putting one off, as each heartbeat does, changes a number and nothing else: it is
 * looked at again when it would have been due before. Time in which this process did not run (it was stopped, its machine
 * was paused, one turn took very long) counts against nobody, as what clients sent meanwhile has not been read. All times
 * are milliseconds.
 */
export class Deadlines {
  /** A binary heap: the deadline to look at next comes first. */
  readonly #heap: Deadline[] = [];
  readonly clock: Clock;
  #timer: ClockTimer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
  }

  /** A deadline that is not set yet. `due` must not throw. */
  add(due: () => void): Deadline {
    return new Deadline(this, due);
  }

  /** Nothing becomes due any more. */
  close(): void {
    this.#timer?.cancel();
    for (const deadline of this.#heap) deadline.forget();
    this.#heap.length = 0;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  /** How many are set. */
  get size(): number {
    return this.#heap.length;
  }

  /** Has a deadline looked at no later than it is due. */
  schedule(deadline: Deadline): void {
    if (deadline.place < 0) {
      this.#moveUp(deadline, this.#heap.length, deadline.dueAtMs);
    } else if (deadline.dueAtMs < deadline.lookedAtMs) {
      this.#moveUp(deadline, deadline.place, deadline.dueAtMs);
    }
    this.#arm();
  }

  unschedule(deadline: Deadline): void {
    const { place } = deadline;
    if (place < 0) return;
    const last = this.#heap.pop()!;
    deadline.place = -1;
    if (last === deadline) return;
    this.#moveUp(last, place, last.lookedAtMs);
    this.#moveDown(last);
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.lookedAtMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    const nowMs = this.clock.elapsedMs();
    const waitMs = Math.min(Math.max(0, Math.ceil(first.lookedAtMs - nowMs)), deadlineSweepMs);
    this.#timerAtMs = nowMs + waitMs;
    this.#timer = this.clock.after(waitMs, () => this.#look());
  }

  #look(): void {
    const nowMs = this.clock.elapsedMs();
    const lateMs = nowMs - this.#timerAtMs;
    // A little late is what a busy broker always is.
    if (lateMs > deadlineSweepMs) this.#putOffAll(lateMs);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    for (let first = this.#heap[0]; first !== undefined && first.lookedAtMs <= nowMs; first = this.#heap[0]) {
      if (first.dueAtMs > nowMs) {
        first.lookedAtMs = first.dueAtMs;
        this.#moveDown(first);
      } else {
        this.unschedule(first);
        first.fire();
      }
    }
    this.#arm();
  }

  /** Their order stays what it was. */
  #putOffAll(byMs: number): void {
    for (const deadline of this.#heap) {
      deadline.dueAtMs += byMs;
      deadline.lookedAtMs += byMs;
    }
  }

  /** Puts a deadline to be looked at at this time, at `place` or further up. */
  #moveUp(deadline: Deadline, place: number, lookedAtMs: number): void {
    deadline.lookedAtMs = lookedAtMs;
    let at = place;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent.lookedAtMs <= lookedAtMs) break;
      this.#put(parent, at);
      at = parentAt;
    }
    this.#put(deadline, at);
  }

  #moveDown(deadline: Deadline): void {
    let at = deadline.place;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= this.#heap.length) break;
      const right = this.#heap[childAt + 1];
      if (right !== undefined && right.lookedAtMs < this.#heap[childAt].lookedAtMs) childAt++;
      const child = this.#heap[childAt];
      if (child.lookedAtMs >= deadline.lookedAtMs) break;
      this.#put(child, at);
      at = childAt;
    }
    this.#put(deadline, at);
  }

  #put(deadline: Deadline, place: number): void {
    this.#heap[place] = deadline;
    deadline.place = place;
  }
}

/** One deadline; set, put off, moved forward and cleared as often as one likes. */
export class Deadline {
  readonly #deadlines: Deadlines;
  readonly #due: () => void;
  /** Where it lies among the others, -1 while it is not set; only {@link Deadlines} touches these three. */
  place = -1;
  lookedAtMs = Number.POSITIVE_INFINITY;
  dueAtMs = Number.POSITIVE_INFINITY;

  constructor(deadlines: Deadlines, due: () => void) {
    this.#deadlines = deadlines;
    this.#due = due;
  }

  /** Due so long from now, whatever was set before. */
  set(afterMs: number): void {
    this.dueAtMs = this.#deadlines.clock.elapsedMs() + afterMs;
    this.#deadlines.schedule(this);
  }

  /** Due so long from now at the latest. */
  setNoLaterThan(afterMs: number): void {
    if (this.place < 0 || this.dueAtMs > this.#deadlines.clock.elapsedMs() + afterMs) this.set(afterMs);
  }

  clear(): void {
    this.#deadlines.unschedule(this);
  }

  get isSet(): boolean {
    return this.place >= 0;
  }

  forget(): void {
    this.place = -1;
  }

  fire(): void {
    this.#due();
  }
}
