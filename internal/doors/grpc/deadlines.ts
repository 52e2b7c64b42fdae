import type { Clock, ClockTimer } from '../../lib/clock.ts';

/** A callback for the end of a time. */
export interface Expiring {
  expire(): void;
}

/**
 * The deadlines of all calls. Short ones have a timer each; long ones, of which nearly every call has one that never
 * comes, are looked at together and end up to a second late.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #long = new Map<Expiring, number>();
  readonly #timers = new Map<Expiring, ClockTimer>();
  readonly #sweep: ClockTimer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sweep = clock.every(SWEEP_MS, () => this.#look());
  }

  add(call: Expiring, timeoutMs: number): void {
    if (timeoutMs > LONG_MS) this.#long.set(call, this.#clock.elapsedMs() + timeoutMs);
    else
      this.#timers.set(
        call,
        this.#clock.after(timeoutMs, () => this.#expire(call)),
      );
  }

  remove(call: Expiring): void {
    if (this.#long.delete(call)) return;
    const timer = this.#timers.get(call);
    if (timer === undefined) return;
    timer.cancel();
    this.#timers.delete(call);
  }

  close(): void {
    this.#sweep.cancel();
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #look(): void {
    const now = this.#clock.elapsedMs();
    for (const [call, atMs] of this.#long) if (atMs <= now) this.#expire(call);
  }

  #expire(call: Expiring): void {
    this.remove(call);
    call.expire();
  }
}

const SWEEP_MS = 1_000;
const LONG_MS = 10_000;
