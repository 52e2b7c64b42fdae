import { BrokerError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { Recent } from '../../lib/recent.ts';
import {
  failedLoginDelayMs,
  failedLoginMaxDelayMs,
  failedLoginsForgottenMs,
  freeFailedLogins,
  rememberedClients,
  waitingLoginsOfOne,
} from '../../limits/access.ts';
import { addressKeyOf } from './address-key.ts';

/** What is remembered of one user whose logins failed from one address. */
interface Failures {
  count: number;
  /** When the next login is looked at, by the clock's `elapsedMs`. */
  nextAtMs: number;
  /** Logins that wait for their turn. */
  waiting: number;
}

/**
 * Slows down whoever guesses: after some logins of a user that failed from an address each next one waits longer, however
 * many connections ask. From elsewhere the user logs in as ever.
 */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #failures: Recent<Failures>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#failures = new Recent(clock, failedLoginsForgottenMs, rememberedClients);
  }

  /** @returns what resolves when this login may be looked at; undefined where that is now. @throws BrokerError `too-many-logins`. */
  turn(remote: string, user: string): Promise<void> | undefined {
    const failures = this.#failures.get(keyOf(remote, user));
    if (failures === undefined || failures.count < freeFailedLogins) return undefined;
    if (failures.waiting >= waitingLoginsOfOne) {
      throw new BrokerError('too-many-logins', 'earlier logins of this user from this address wait');
    }
    const nowMs = this.#clock.elapsedMs();
    const atMs = Math.max(nowMs, failures.nextAtMs);
    failures.nextAtMs = atMs + delayAfter(failures);
    if (atMs <= nowMs) return undefined;
    failures.waiting++;
    return new Promise((resolve) => {
      this.#clock.after(atMs - nowMs, () => {
        failures.waiting--;
        resolve();
      });
    });
  }

  failed(remote: string, user: string): void {
    const key = keyOf(remote, user);
    const known = this.#failures.get(key);
    const failures = known ?? { count: 0, nextAtMs: 0, waiting: 0 };
    if (known === undefined) this.#failures.set(key, failures);
    failures.count++;
    if (failures.count < freeFailedLogins) return;
    failures.nextAtMs = Math.max(failures.nextAtMs, this.#clock.elapsedMs() + delayAfter(failures));
  }

  succeeded(remote: string, user: string): void {
    this.#failures.delete(keyOf(remote, user));
  }
}

function delayAfter({ count }: Failures): number {
  return Math.min(failedLoginDelayMs * 2 ** (count - freeFailedLogins), failedLoginMaxDelayMs);
}

function keyOf(remote: string, user: string): string {
  return `${addressKeyOf(remote)} ${user}`;
}
