import type { Authenticator, Credentials, Refusal, SaslExchange } from '../authenticator.ts';
import { anonymous, type Identity, identityOf, type Peer } from '../identity.ts';
import { Decoys } from './decoys.ts';
import { BusyError, type HashQueue } from './hash-queue.ts';
import { Passwords } from './passwords.ts';
import { beginPlain } from './sasl/plain.ts';
import { beginScram, type ScramUsers } from './sasl/scram.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type ScramMechanism, type User } from './user.ts';

/** Where users are looked up: the directory of the broker. */
export interface UserDirectory {
  /** Another object, with another map, after each change. */
  readonly current: { readonly users: ReadonlyMap<string, User> };
}

export interface UserAuthenticatorOptions {
  directory: UserDirectory;
  /** Whether clients that show nothing are let in, as `anonymous`. */
  allowsAnonymous: boolean;
  decoys?: Decoys;
  queue?: HashQueue;
}

/** The authenticator of a broker with users. */
export class UserAuthenticator implements Authenticator {
  readonly mechanisms: readonly string[] = ['PLAIN', ...SCRAM_MECHANISMS];
  readonly #directory: UserDirectory;
  readonly #allowsAnonymous: boolean;
  readonly #decoys: Decoys;
  readonly #passwords: Passwords;

  constructor({ directory, allowsAnonymous, decoys = new Decoys(), queue }: UserAuthenticatorOptions) {
    this.#directory = directory;
    this.#allowsAnonymous = allowsAnonymous;
    this.#decoys = decoys;
    this.#passwords = new Passwords(decoys, queue);
  }

  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal> {
    if (credentials.kind === 'password') return this.#byPassword(peer, credentials);
    if (credentials.kind === 'token') return refused('tokens are not served');
    return this.#allowsAnonymous ? anonymous(peer) : refused('it showed no credentials');
  }

  beginExchange(peer: Peer, mechanism: string): SaslExchange | Refusal {
    if (mechanism === 'PLAIN') return beginPlain((credentials) => this.authenticate(peer, credentials));
    const scram = SCRAM_MECHANISMS.find((known) => known === mechanism);
    if (scram !== undefined) return beginScram(scram, this.#scramUsers(peer));
    return { reason: `the mechanism is not served; these are: ${this.mechanisms.join(', ')}` };
  }

  async #byPassword(
    peer: Peer,
    { user, password = NO_PASSWORD }: Extract<Credentials, { kind: 'password' }>,
  ): Promise<Identity | Refusal> {
    try {
      const isRight = await this.#passwords.isRight(user, password, this.#directory.current.users);
      return isRight ? this.#letIn(peer, user) : refused('unknown, disabled, or another password', user);
    } catch (error) {
      if (error instanceof BusyError) return { ...BUSY, user };
      throw error;
    }
  }

  #scramUsers(peer: Peer): ScramUsers {
    return {
      keysOf: (mechanism, name) => this.#keysOf(mechanism, name) ?? this.#decoyKeys(mechanism, name),
      letIn: (mechanism, name, keys) => {
        const isStillSo = this.#keysOf(mechanism, name) === keys;
        return isStillSo ? this.#letIn(peer, name) : refused('the user was changed meanwhile', name);
      },
      refuse: (name) => refused('unknown, disabled, or another password', name),
    };
  }

  #keysOf(mechanism: ScramMechanism, name: string): ScramKeys | undefined {
    const user = this.#directory.current.users.get(name);
    return user?.isEnabled ? user.scram[mechanism] : undefined;
  }

  #decoyKeys(mechanism: ScramMechanism, name: string): ScramKeys {
    return this.#decoys.scramKeys(mechanism, name, this.#directory.current.users);
  }

  /** The user as the directory has it now: a hash takes time, and meanwhile it may have been disabled. */
  #letIn(peer: Peer, name: string): Identity | Refusal {
    const user = this.#directory.current.users.get(name);
    if (user?.isEnabled !== true) return refused('the user was disabled meanwhile', name);
    return identityOf(peer, { user: name, groups: user.groups });
  }
}

const NO_PASSWORD = new Uint8Array(0);

/** The same words for everything that fails, so that nobody learns who is there. */
function refused(cause: string, user?: string): Refusal {
  return { reason: 'the user name, password or token is wrong', cause, user };
}

const BUSY: Refusal = {
  reason: 'too many clients log in at this moment; try again in a second',
  code: 'too-many-logins',
  cause: 'too many passwords wait to be hashed',
};
