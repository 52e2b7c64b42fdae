import type { Clock, ClockTimer } from './clock.ts';

/**
 * Values by name that are forgotten some time after they were last asked for: between once and twice that time. There are
 * never more than twice a number; where more come, the older half goes.
 */
export class Recent<T> {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #most: number;
  #newer = new Map<string, T>();
  #older = new Map<string, T>();
  #timer: ClockTimer | undefined;

  constructor(clock: Clock, forMs: number, most: number) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#most = most;
  }

  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  get(name: string): T | undefined {
    const value = this.#newer.get(name);
    if (value !== undefined) return value;
    const older = this.#older.get(name);
    if (older === undefined) return undefined;
    this.#older.delete(name);
    this.set(name, older);
    return older;
  }

  set(name: string, value: T): void {
    if (this.#newer.size >= this.#most) this.#turnOver();
    this.#newer.set(name, value);
    this.#timer ??= this.#clock.after(this.#forMs, () => {
      this.#timer = undefined;
      this.#turnOver();
      if (this.#older.size > 0) this.#timer = this.#clock.after(this.#forMs, () => this.#end());
    });
  }

  delete(name: string): void {
    this.#newer.delete(name);
    this.#older.delete(name);
  }

  #turnOver(): void {
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  #end(): void {
    this.#timer = undefined;
    this.#turnOver();
    if (this.size > 0) this.#timer = this.#clock.after(this.#forMs, () => this.#end());
  }
}
