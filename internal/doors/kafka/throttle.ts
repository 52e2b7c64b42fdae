import type { Access } from '../../access/access.ts';
import type { RateName } from '../../access/limits/limit.ts';
import { longestWait } from '../../access/limits/limits.ts';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { kafkaMaxThrottleMs } from '../../limits/kafka.ts';

/**
 * Holds one connection to the limits of its client, as Kafka does it (KIP-219): whoever took too much gets its answer at
 * once with the time that it has to wait, and until then nothing more of it is read. What it owes is shared with the other
 * connections that the same limit is for, so that a new one gives no more.
 */
export class Throttle {
  readonly #clock: Clock;
  readonly #whenFree: () => void;
  #access: Access | undefined;
  #timer: ClockTimer | undefined;
  #mutedUntil = 0;

  /** @param whenFree is called when a client that had to wait may go on. */
  constructor(clock: Clock, whenFree: () => void) {
    this.#clock = clock;
    this.#whenFree = whenFree;
  }

  /** Whether the client has to wait. */
  get isMuted(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * From now on the connection is of this client.
   *
   * @throws BrokerError `too-many-connections`.
   */
  enter(access: Access): void {
    if (access === this.#access) return;
    this.leave();
    this.#access = access;
    access.allowance?.enter();
  }

  /** Limits have changed: those there are now hold for a connection that is open already. */
  holdToLimits(): void {
    const access = this.#access;
    if (access?.allowance === undefined) access?.holdToLimits()?.enter(true);
  }

  /** The connection is of nobody any more. */
  leave(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#access?.allowance?.leave();
  }

  /** Counts what the client has sent or is given. */
  take(name: RateName, count: number): void {
    const allowance = this.#access?.allowance;
    if (allowance === undefined) return;
    for (const rate of allowance.rates(name)) rate.take(count);
  }

  /** How many milliseconds the client has to wait after what it took; from now on it does. */
  settle(names: readonly RateName[]): number {
    const allowance = this.#access?.allowance;
    if (allowance === undefined) return 0;
    const longest = longestWait(names.flatMap((name) => allowance.rates(name)));
    if (longest === undefined) return 0;
    const waitMs = Math.min(longest.waitMs, kafkaMaxThrottleMs);
    allowance.waits(longest.rate);
    this.#mute(waitMs);
    return waitMs;
  }

  #mute(ms: number): void {
    const until = this.#clock.elapsedMs() + ms;
    if (this.isMuted && until <= this.#mutedUntil) return;
    this.#mutedUntil = until;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined;
      this.#whenFree();
    });
  }
}

/** What a client that produces may be bounded in, and one that fetches. */
export const PRODUCED: readonly RateName[] = ['bytesInPerSecond', 'messagesInPerSecond'];
export const FETCHED: readonly RateName[] = ['bytesOutPerSecond', 'messagesOutPerSecond'];
