import { isUtf8 } from 'node:buffer';
import { BusyError, type HashQueue } from './hash-queue.ts';
import { makePassword, passwordProblem, type ReplacedPassword } from './passwords.ts';
import { parseStoredHash } from './stored-hash.ts';
import type { User } from './user.ts';

/** Hears of each user whose hash was replaced, or why it could not be. */
export type ReplacedReport = (user: string, error?: Error) => void;

/**
 * Makes a hash of ours, and keys for SCRAM, of the password of somebody whose hash is another broker's: at a login the
 * password is there. It waits its turn behind the logins, and where there are too many of those the next login does it.
 */
export class HashReplacer {
  readonly #queue: HashQueue;
  readonly #replace: (change: ReplacedPassword) => Promise<void>;
  readonly #report: ReplacedReport;
  readonly #underWay = new Set<string>();

  constructor(
    queue: HashQueue,
    replace: (change: ReplacedPassword) => Promise<void>,
    report: ReplacedReport,
  ) {
    this.#queue = queue;
    this.#replace = replace;
    this.#report = report;
  }

  /** @param password that of the user, which was found right for what the user has here. */
  replaceForeign({ name, origin, password: before }: User, password: Uint8Array): void {
    // What a file declares is changed there.
    if (before === undefined || origin === 'file' || this.#underWay.has(name)) return;
    if (parseStoredHash(before)?.isForeign !== true || !isUtf8(password)) return;
    const text = Buffer.from(password).toString();
    if (passwordProblem(text) !== undefined) return;
    this.#underWay.add(name);
    void this.#replaceLater(name, before, text).finally(() => this.#underWay.delete(name));
  }

  async #replaceLater(name: string, before: string, password: string): Promise<void> {
    try {
      const fields = await this.#queue.run(() => makePassword(password));
      await this.#replace({ kind: 'replace-password', name, before, fields });
      this.#report(name);
    } catch (error) {
      if (!(error instanceof BusyError)) this.#report(name, error as Error);
    }
  }
}
