import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { Fifo } from '../../lib/fifo.ts';
import { rateTurnsPerSecond } from '../../limits/access.ts';
import type { RateName } from './limit.ts';

/** What a rate is one of. */
export interface RateOf {
  /** The id of the limit. */
  readonly limit: string;
  readonly name: RateName;
}

/**
 * So much a second, spread evenly: after a rest as much as one second allows may be taken at once. Whoever takes more is
 * in debt, and waits. Those who wait get their turns one after the other, each its share.
 */
export class Rate {
  readonly of: RateOf;
  readonly #clock: Clock;
  readonly #waiting = new Fifo<() => void>();
  #perSecond: number;
  #available: number;
  #atMs: number;
  #timer: ClockTimer | undefined;
  /** What each of those who wait may take in the present round; undefined between rounds. */
  #grant: number | undefined;

  constructor(clock: Clock, perSecond: number, of: RateOf) {
    this.of = of;
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#available = perSecond;
    this.#atMs = clock.elapsedMs();
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** Changes it from now on; what was taken before stays taken. */
  set perSecond(perSecond: number) {
    this.#refill();
    this.#perSecond = perSecond;
    this.#available = Math.min(this.#available, perSecond);
  }

  /** How much may be taken now by one of those who want something; 0: who wants some waits for his turn. */
  get share(): number {
    this.#refill();
    if (this.#grant === undefined && this.#waiting.length > 0) return 0;
    return Math.max(0, Math.floor(Math.min(this.#available, this.#grant ?? this.#available)));
  }

  /** How long until there is something again, in milliseconds. */
  get waitMs(): number {
    this.#refill();
    return this.#msUntil(1);
  }

  /** Whether nobody waits and nothing is owed, so that nothing is lost if it is forgotten. */
  get isFull(): boolean {
    this.#refill();
    return this.#waiting.length === 0 && this.#available >= this.#perSecond;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  take(count: number): void {
    this.#refill();
    this.#available -= count;
  }

  /** Calls when it is the caller's turn. */
  whenFree(call: () => void): void {
    this.#waiting.push(call);
    this.#arm();
  }

  #refill(): void {
    const nowMs = this.#clock.elapsedMs();
    const more = ((nowMs - this.#atMs) / 1_000) * this.#perSecond;
    this.#available = Math.min(this.#perSecond, this.#available + more);
    this.#atMs = nowMs;
  }

  #msUntil(count: number): number {
    return this.#available >= count ? 0 : Math.ceil(((count - this.#available) / this.#perSecond) * 1_000);
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#refill();
    // Not for each byte: nobody is served more often than is worth a timer.
    const quantum = Math.max(1, this.#perSecond / rateTurnsPerSecond);
    this.#timer = this.#clock.after(this.#msUntil(quantum), () => this.#serve());
  }

  /** Each of those who wait now has a turn with the same share, as long as something is left. */
  #serve(): void {
    this.#timer = undefined;
    this.#refill();
    this.#grant = Math.max(1, Math.floor(this.#available / this.#waiting.length));
    for (let left = this.#waiting.length; left > 0 && this.#available >= 1; left--) this.#waiting.shift()!();
    this.#grant = undefined;
    this.#arm();
  }
}
