import { createHash, randomBytes } from 'node:crypto';
import { Access } from '../../access/access.ts';
import type { Identity } from '../../access/identity.ts';
import { BrokerError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  httpLoginBytes,
  httpLoginIdleMs,
  httpLoginMs,
  httpLogins,
  httpLoginsOfUser,
} from '../../limits/http.ts';
import type { Admission } from '../clients/admission.ts';

/** Somebody who has logged in with a browser. */
export class Login {
  /** What it may do, with the identity that the authenticator found: that one notices that its password is another. */
  readonly access: Access;
  readonly endsAtMs: number;
  /** By the clock, the last time that it asked for something. */
  usedAtMs: number;
  isOver = false;

  constructor(access: Access, nowMs: number) {
    this.access = access;
    this.usedAtMs = nowMs;
    this.endsAtMs = Math.min(nowMs + httpLoginMs, access.identity.expiresAtMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether it holds no longer: it was ended, is too old, was not used, or its user may not be here any more. */
  hasEnded(nowMs: number): boolean {
    if (this.isOver || nowMs >= this.endsAtMs || nowMs >= this.usedAtMs + httpLoginIdleMs) return true;
    return this.access.connectRefusal !== undefined;
  }
}

/** What one request, or one stream, of somebody who has logged in may do: it ends with the login. */
class LoginAccess extends Access {
  readonly #login: Login;

  constructor(login: Login, identity: Identity, { policy, limits }: Admission) {
    super(identity, policy, limits);
    this.#login = login;
  }

  override get connectRefusal(): string | undefined {
    return this.#login.access.connectRefusal ?? super.connectRefusal;
  }

  /** Whoever has a stream open is there. */
  override expiry(nowMs: number): BrokerError | undefined {
    this.#login.usedAtMs = nowMs;
    return this.#login.hasEnded(nowMs) ? new BrokerError('credentials-expired') : undefined;
  }
}

/**
 * Those who have logged in with a browser, by an opaque random value that it shows with each request. They are in memory only,
 * and what is kept of the value tells nobody what it was.
 */
export class Logins {
  readonly #admission: Admission;
  readonly #clock: Clock;
  /** The one that was not used for the longest time first. */
  readonly #logins = new Map<string, Login>();

  constructor(admission: Admission, clock: Clock) {
    this.#admission = admission;
    this.#clock = clock;
  }

  /** The value for the browser of somebody who was let in. The oldest login makes room where there are too many. */
  add(access: Access): string {
    const value = randomBytes(httpLoginBytes).toString('base64url');
    this.#forgetEnded();
    const ofUser = [...this.#logins].filter(
      ([
        ,
        {
          access: { identity },
        },
      ]) => identity.user === access.identity.user,
    );
    if (ofUser.length >= httpLoginsOfUser) this.#end(ofUser[0]![0]);
    else if (this.#logins.size >= httpLogins) this.#end(this.#logins.keys().next().value!);
    this.#logins.set(keyOf(value), new Login(access, this.#clock.now()));
    return value;
  }

  /** Ends the login, if there is one. */
  end(value: string): void {
    this.#end(keyOf(value));
  }

  /**
   * What a request of somebody who has logged in may do.
   *
   * @param from what is known of the connection, and how the request calls its client.
   * @throws BrokerError `credentials-expired`, `not-authorized`.
   */
  accessOf(value: string, from: Pick<Identity, 'clientId' | 'listener' | 'remote'>): Access {
    const key = keyOf(value);
    const login = this.#logins.get(key);
    const nowMs = this.#clock.now();
    if (login === undefined || login.hasEnded(nowMs)) {
      this.#end(key);
      throw new BrokerError('credentials-expired', 'log in again');
    }
    login.usedAtMs = nowMs;
    this.#logins.delete(key);
    this.#logins.set(key, login);
    const { clientId, listener, remote } = from;
    const access = new LoginAccess(
      login,
      { ...login.access.identity, clientId, listener, remote },
      this.#admission,
    );
    access.checkConnect();
    return access;
  }

  #end(key: string): void {
    const login = this.#logins.get(key);
    if (login === undefined) return;
    login.isOver = true;
    this.#logins.delete(key);
  }

  #forgetEnded(): void {
    const nowMs = this.#clock.now();
    for (const [key, login] of this.#logins) if (login.hasEnded(nowMs)) this.#end(key);
  }
}

function keyOf(value: string): string {
  return createHash('sha256').update(value).digest('base64');
}
