import { maxTokenBytes } from '../../limits/access.ts';
import {
  type Authenticator,
  type Credentials,
  isRefusal,
  type Refusal,
  type SaslExchange,
} from '../authenticator.ts';
import { anonymous, type Identity, identityOf, type Peer } from '../identity.ts';
import { Decoys } from './decoys.ts';
import { BusyError, type HashQueue } from './hash-queue.ts';
import { Passwords } from './passwords.ts';
import { beginOAuthBearer } from './sasl/oauthbearer.ts';
import { beginPlain } from './sasl/plain.ts';
import { beginScram, type ScramUsers } from './sasl/scram.ts';
import type { TokenSubject, Tokens } from './tokens/tokens.ts';
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
  /** Checks tokens; undefined where they are not served. */
  tokens?: Tokens;
  decoys?: Decoys;
  queue?: HashQueue;
}

/** The authenticator of a broker with users. */
export class UserAuthenticator implements Authenticator {
  readonly mechanisms: readonly string[];
  readonly #directory: UserDirectory;
  readonly #allowsAnonymous: boolean;
  readonly #decoys: Decoys;
  readonly #passwords: Passwords;
  readonly #tokens: Tokens | undefined;

  constructor({
    directory,
    allowsAnonymous,
    tokens,
    decoys = new Decoys(),
    queue,
  }: UserAuthenticatorOptions) {
    this.mechanisms = ['PLAIN', ...SCRAM_MECHANISMS, ...(tokens === undefined ? [] : ['OAUTHBEARER'])];
    this.#tokens = tokens;
    this.#directory = directory;
    this.#allowsAnonymous = allowsAnonymous;
    this.#decoys = decoys;
    this.#passwords = new Passwords(decoys, queue);
  }

  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal> {
    if (credentials.kind === 'token') return this.#byToken(peer, credentials.token);
    if (credentials.kind === 'password') return this.#byPasswordOrToken(peer, credentials);
    return this.#allowsAnonymous ? anonymous(peer) : refused('it showed no credentials');
  }

  beginExchange(peer: Peer, mechanism: string): SaslExchange | Refusal {
    if (!this.mechanisms.includes(mechanism)) {
      return { reason: `the mechanism is not served; these are: ${this.mechanisms.join(', ')}` };
    }
    const scram = SCRAM_MECHANISMS.find((known) => known === mechanism);
    if (scram !== undefined) return beginScram(scram, this.#scramUsers(peer));
    const begin = mechanism === 'PLAIN' ? beginPlain : beginOAuthBearer;
    return begin((credentials) => this.authenticate(peer, credentials));
  }

  /** Protocols that know passwords only carry tokens there, beside no user name or that of the token. */
  async #byPasswordOrToken(
    peer: Peer,
    { user, password = NO_PASSWORD }: ByPassword,
  ): Promise<Identity | Refusal> {
    const token = this.#tokens === undefined ? undefined : tokenIn(password);
    if (token === undefined) return this.#byPassword(peer, user, password);
    const found = await this.#byToken(peer, token);
    if (isRefusal(found) || user === '' || user === found.user) return found;
    return refused('the user name beside the token is another', user);
  }

  async #byToken(peer: Peer, token: string): Promise<Identity | Refusal> {
    if (this.#tokens === undefined) return refused('tokens are not served');
    let subject: TokenSubject;
    try {
      subject = await this.#tokens.check(token);
    } catch (error) {
      return refused(`the token was not accepted: ${(error as Error).message}`);
    }
    const { user, groups, expiresAtMs } = subject;
    const known = this.#directory.current.users.get(user);
    if (known?.isEnabled === false) return refused('the user of the token is disabled', user);
    return identityOf(peer, {
      user,
      groups: [...new Set([...(known?.groups ?? []), ...groups])],
      expiresAtMs,
    });
  }

  async #byPassword(peer: Peer, user: string, password: Uint8Array): Promise<Identity | Refusal> {
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

type ByPassword = Extract<Credentials, { kind: 'password' }>;

/** A password that is a token: three parts in base64url, of which the first is JSON. Nobody types that. */
function tokenIn(password: Uint8Array): string | undefined {
  if (password[0] !== 0x65 || password[1] !== 0x79 || password.length > maxTokenBytes) return undefined;
  const text = Buffer.from(password).toString('latin1');
  return /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text) ? text : undefined;
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
