/** A callback for the end of a time. */
export interface Expiring {
  expire(): void;
}

/**
 * The deadlines of all calls. Short ones have a timer each; long ones, of which nearly every call has one that never
 * comes, are looked at together and end up to a second late.
 */
export class Deadlines {
  readonly #long = new Map<Expiring, number>();
  readonly #timers = new Map<Expiring, NodeJS.Timeout>();
  readonly #sweep = setInterval(() => this.#look(), SWEEP_MS).unref();

  add(call: Expiring, timeoutMs: number): void {
    if (timeoutMs > LONG_MS) this.#long.set(call, performance.now() + timeoutMs);
    else
      this.#timers.set(
        call,
        setTimeout(() => this.#expire(call), timeoutMs),
      );
  }

  remove(call: Expiring): void {
    if (this.#long.delete(call)) return;
    const timer = this.#timers.get(call);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#timers.delete(call);
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #look(): void {
    const now = performance.now();
    for (const [call, atMs] of this.#long) if (atMs <= now) this.#expire(call);
  }

  #expire(call: Expiring): void {
    this.remove(call);
    call.expire();
  }
}

const SWEEP_MS = 1_000;
const LONG_MS = 10_000;
