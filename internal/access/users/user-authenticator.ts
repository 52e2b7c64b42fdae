import { maxTokenBytes } from '../../limits/access.ts';
import {
  type Authenticator,
  type Credentials,
  isRefusal,
  type Refusal,
  type SaslExchange,
} from '../authenticator.ts';
import { anonymous, type Identity, identityOf, type Peer } from '../identity.ts';
import type { Standing } from '../standing.ts';
import { CertificateUsers } from './certificate-users.ts';
import { Decoys } from './decoys.ts';
import { BusyError, HashQueue } from './hash-queue.ts';
import { HashReplacer, type ReplacedReport } from './hash-replacer.ts';
import { Passwords, type ReplacedPassword } from './passwords.ts';
import { beginOAuthBearer } from './sasl/oauthbearer.ts';
import { beginPlain } from './sasl/plain.ts';
import { beginScram, type ScramUsers } from './sasl/scram.ts';
import type { TokenSubject, Tokens } from './tokens/tokens.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type ScramMechanism, type User } from './user.ts';

/** Where users are looked up: the directory of the broker. */
export interface UserDirectory {
  /** Another object, with another map, after each change. */
  readonly current: {
    readonly users: ReadonlyMap<string, User>;
    /** Whether there are, or were, users or rules; until then everybody is let in. */
    readonly isProtected: boolean;
  };
  /** Makes changes last. */
  edit(changes: readonly ReplacedPassword[]): Promise<void>;
}

export interface UserAuthenticatorOptions {
  directory: UserDirectory;
  /** Whether clients that show nothing are let in, as `anonymous`. */
  allowsAnonymous: boolean;
  /** Checks tokens; undefined where they are not served. */
  tokens?: Tokens;
  /** Who is meant by a client certificate. Default: its common name. */
  certificates?: CertificateUsers;
  /** Hears with what users were let in, and of hashes that take the place of others of the same password. */
  standing?: Pick<Standing, 'letIn' | 'replacing'>;
  decoys?: Decoys;
  queue?: HashQueue;
  /** Hears of hashes of other brokers that were replaced by ours. */
  report?: ReplacedReport;
}

/**
 * Finds users by what they show. Password, token or SASL decide where a client shows them, also beside a certificate;
 * where it shows nothing else, the certificate does. As long as the broker knows of no users, everybody is let in: under
 * the name in their certificate, or as anonymous.
 */
export class UserAuthenticator implements Authenticator {
  readonly #directory: UserDirectory;
  readonly #allowsAnonymous: boolean;
  readonly #decoys: Decoys;
  readonly #passwords: Passwords;
  readonly #tokens: Tokens | undefined;
  readonly #certificates: CertificateUsers;
  readonly #replacer: HashReplacer;
  readonly #standing: UserAuthenticatorOptions['standing'];

  constructor(options: UserAuthenticatorOptions) {
    const { directory, allowsAnonymous, tokens, certificates, decoys = new Decoys() } = options;
    const { queue = new HashQueue(), report = () => {}, standing } = options;
    const replace = (change: ReplacedPassword) => {
      standing?.replacing(change);
      return directory.edit([change]);
    };
    this.#replacer = new HashReplacer(queue, replace, report);
    this.#standing = standing;
    this.#tokens = tokens;
    this.#certificates = certificates ?? new CertificateUsers();
    this.#directory = directory;
    this.#allowsAnonymous = allowsAnonymous;
    this.#decoys = decoys;
    this.#passwords = new Passwords(decoys, queue);
  }

  get mechanisms(): readonly string[] {
    if (!this.#isProtected) return ONE_STEP;
    return this.#tokens === undefined ? WITHOUT_TOKENS : WITH_TOKENS;
  }

  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal> {
    if (!this.#isProtected || credentials.kind === 'none') return this.#byConnection(peer);
    if (credentials.kind === 'token') return this.#byToken(peer, credentials.token);
    return this.#byPasswordOrToken(peer, credentials);
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

  get #isProtected(): boolean {
    return this.#directory.current.isProtected || this.#tokens !== undefined;
  }

  /** Who a client is that shows nothing but, perhaps, a certificate. */
  #byConnection(peer: Peer): Identity | Refusal {
    let user: string | undefined;
    try {
      user = peer.certificate && this.#certificates.userOf(peer.certificate);
    } catch (error) {
      return refused((error as Error).message);
    }
    if (user !== undefined) return this.#named(peer, user);
    const isIn = this.#allowsAnonymous || !this.#isProtected;
    return isIn ? anonymous(peer) : refused('it showed no credentials');
  }

  /** Somebody whose name was signed, by an authority or in a token. The directory need not know them. */
  #named(peer: Peer, user: string, signed: Partial<TokenSubject> = {}): Identity | Refusal {
    const { groups = [], expiresAtMs } = signed;
    const known = this.#directory.current.users.get(user);
    if (known?.isEnabled === false) return refused('the user is disabled', user);
    return identityOf(peer, {
      user,
      groups: [...new Set([...(known?.groups ?? []), ...groups])],
      expiresAtMs,
    });
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
    return this.#refused('the user name beside the token is another', user);
  }

  async #byToken(peer: Peer, token: string): Promise<Identity | Refusal> {
    if (this.#tokens === undefined) return refused('tokens are not served');
    let subject: TokenSubject;
    try {
      subject = await this.#tokens.check(token);
    } catch (error) {
      return refused(`the token was not accepted: ${(error as Error).message}`);
    }
    return this.#named(peer, subject.user, subject);
  }

  async #byPassword(peer: Peer, user: string, password: Uint8Array): Promise<Identity | Refusal> {
    try {
      const { users } = this.#directory.current;
      const isRight = await this.#passwords.isRight(user, password, users);
      if (!isRight) return this.#wrong(user);
      const shown = users.get(user)!;
      this.#replacer.replaceForeign(shown, password);
      return this.#letIn(peer, shown);
    } catch (error) {
      if (error instanceof BusyError) return { ...this.#refused('', user), ...BUSY };
      throw error;
    }
  }

  #scramUsers(peer: Peer): ScramUsers {
    return {
      keysOf: (mechanism, name) => this.#keysOf(mechanism, name) ?? this.#decoyKeys(mechanism, name),
      letIn: (mechanism, name, keys) => {
        const isStillSo = this.#keysOf(mechanism, name) === keys;
        if (!isStillSo) return refused('the user was changed meanwhile', name);
        return this.#letIn(peer, this.#directory.current.users.get(name)!);
      },
      refuse: (name) => this.#wrong(name),
    };
  }

  #wrong(name: string): Refusal {
    const user = this.#directory.current.users.get(name);
    if (user === undefined) return this.#refused('there is no such user', name);
    return this.#refused(user.isEnabled ? 'another password' : 'the user is disabled', name);
  }

  /** A refusal of somebody who says what its name is. */
  #refused(cause: string, user: string): Refusal {
    return { ...refused(cause, user), isUserKnown: this.#directory.current.users.has(user) };
  }

  #keysOf(mechanism: ScramMechanism, name: string): ScramKeys | undefined {
    const user = this.#directory.current.users.get(name);
    return user?.isEnabled ? user.scram[mechanism] : undefined;
  }

  #decoyKeys(mechanism: ScramMechanism, name: string): ScramKeys {
    return this.#decoys.scramKeys(mechanism, name, this.#directory.current.users);
  }

  /**
   * The user as the directory has it now: a hash takes time, and meanwhile it may have been disabled.
   *
   * @param shown as it was when its password was checked.
   */
  #letIn(peer: Peer, shown: User): Identity | Refusal {
    const { name } = shown;
    const user = this.#directory.current.users.get(name);
    if (user?.isEnabled !== true) return refused('the user was disabled meanwhile', name);
    const identity = identityOf(peer, { user: name, groups: user.groups });
    this.#standing?.letIn(identity, shown);
    return identity;
  }
}

const ONE_STEP = ['PLAIN', 'OAUTHBEARER'];
const WITHOUT_TOKENS = ['PLAIN', ...SCRAM_MECHANISMS];
const WITH_TOKENS = [...WITHOUT_TOKENS, 'OAUTHBEARER'];

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
