import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { maxRememberedPasswords, rememberPasswordMs } from '../../limits/access.ts';

/**
 * Passwords that were found right a short while ago, so that a client that connects again costs no hash. What is remembered
 * is a MAC under a key that nobody but this process has, over the user, the password and the stored hash: it fits no
 * longer once any of them has changed.
 */
export class RememberedPasswords {
  readonly #key = randomBytes(32);
  /** When each is forgotten; those that were used last are at the end. */
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** What stands for a password of a user. */
  keyOf(user: string, password: Uint8Array, storedHash: string): string {
    const mac = createHmac('sha256', this.#key);
    // Lengths in front, so that no two inputs are the same bytes.
    for (const part of [Buffer.from(user), Buffer.from(storedHash), password]) {
      mac.update(Uint32Array.of(part.length)).update(part);
    }
    return mac.digest('base64');
  }

  has(key: string): boolean {
    const untilMs = this.#until.get(key);
    if (untilMs === undefined) return false;
    this.#until.delete(key);
    if (untilMs <= this.#clock.elapsedMs()) return false;
    this.add(key);
    return true;
  }

  add(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.elapsedMs() + rememberPasswordMs);
    if (this.#until.size <= maxRememberedPasswords) return;
    for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest);
      return;
    }
  }
}
