import type { JWK, JWTHeaderParameters, JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { WatchedFile } from '../../../lib/watched-file.ts';
import { accessFilesWatchMs, maxTokenBytes, tokenClockToleranceMs } from '../../../limits/access.ts';
import { type ClaimNames, groupsOfClaims, userOfClaims } from './claims.ts';
import { type KeySource, PublishedKeys } from './published-keys.ts';
import { parseTokenKeys, type TokenKeys } from './token-keys.ts';

/** How tokens are checked. */
export interface TokenOptions {
  /** A file (PEM, a JWK or a set of them), or the URL of a set. */
  keys: string;
  /** Who has to have signed: the claim `iss`. */
  issuer?: string;
  /** Whom the token has to be for: one of these has to be in the claim `aud`. */
  audience?: readonly string[];
  /** Default: `sub`. */
  userClaim?: string;
  /** Default: `groups`. */
  groupsClaim?: string;
  /** Default: those with public keys. */
  algorithms?: readonly string[];
  /** Default: thirty seconds. */
  clockToleranceMs?: number;
}

/** Whom a token speaks of. */
export interface TokenSubject {
  readonly user: string;
  readonly groups: readonly string[];
  readonly expiresAtMs: number;
}

/** Algorithms with a key pair: who can check such a token cannot make one. */
const PUBLIC_KEY_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
/** What `algorithms` may name. `none` is no algorithm. */
export const TOKEN_ALGORITHMS: readonly string[] = [...PUBLIC_KEY_ALGORITHMS, ...SECRET_ALGORITHMS];

type Jose = typeof import('jose');

/** Checks JSON Web Tokens (RFC 7519). */
export class Tokens {
  readonly #jose: Jose;
  readonly #source: KeySource;
  readonly #rules: JWTVerifyOptions;
  readonly #claims: ClaimNames;
  readonly #clock: Clock;
  readonly #sets = new WeakMap<TokenKeys, JWTVerifyGetKey>();

  private constructor(jose: Jose, source: KeySource, options: TokenOptions, clock: Clock) {
    this.#jose = jose;
    this.#source = source;
    this.#clock = clock;
    this.#claims = { user: options.userClaim ?? 'sub', groups: options.groupsClaim ?? 'groups' };
    this.#rules = {
      algorithms: [...(options.algorithms ?? PUBLIC_KEY_ALGORITHMS)],
      issuer: options.issuer,
      audience: options.audience === undefined ? undefined : [...options.audience],
      clockTolerance: (options.clockToleranceMs ?? tokenClockToleranceMs) / 1000,
      requiredClaims: ['exp'],
    };
  }

  /**
   * @param report hears of keys that were read again, with the error where they could not be.
   * @throws Error with a sentence that says which option does not work.
   */
  static async open(
    options: TokenOptions,
    report: (error: Error | undefined) => void = () => {},
    clock: Clock = systemClock,
  ): Promise<Tokens> {
    checkOptions(options);
    const source = isUrl(options.keys)
      ? new PublishedKeys(options.keys, report, clock)
      : new KeyFile(options.keys, report, clock);
    return new Tokens(await import('jose'), source, options, clock);
  }

  /** @throws Error that says what is wrong with the token, and repeats nothing of it. */
  async check(token: string): Promise<TokenSubject> {
    if (token.length > maxTokenBytes) throw new Error(`the token is longer than ${maxTokenBytes} bytes`);
    const claims = await this.#verified(token);
    return {
      user: userOfClaims(claims, this.#claims),
      groups: groupsOfClaims(claims, this.#claims),
      expiresAtMs: expiryOf(claims),
    };
  }

  close(): void {
    this.#source.close();
  }

  async #verified(token: string): Promise<JWTPayload> {
    try {
      return await this.#verifiedByKnown(token);
    } catch (error) {
      if (!(error instanceof this.#jose.errors.JWKSNoMatchingKey)) throw error;
      // The provider may have a new key.
      await this.#source.refresh();
      return this.#verifiedByKnown(token);
    }
  }

  async #verifiedByKnown(token: string): Promise<JWTPayload> {
    const { jwtVerify, errors } = this.#jose;
    const rules = { ...this.#rules, currentDate: new Date(this.#clock.now()) };
    try {
      return (await jwtVerify(token, this.#keySet(), rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, rules)).payload;
        } catch (other) {
          if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  #keySet(): JWTVerifyGetKey {
    const keys = this.#source.current ?? NO_KEYS;
    let set = this.#sets.get(keys);
    if (set === undefined) {
      set = keySetOf(this.#jose, keys);
      this.#sets.set(keys, set);
    }
    return set;
  }
}

const NO_KEYS: TokenKeys = { named: [], unnamed: [], secrets: [] };

/** Finds the key of a token. A secret is never taken for a public key, nor the other way round. */
function keySetOf(jose: Jose, { named, unnamed, secrets }: TokenKeys): JWTVerifyGetKey {
  const byName = jose.createLocalJWKSet({ keys: [...named] });
  const withoutName = jose.createLocalJWKSet({ keys: [...unnamed] });
  return async (header, token) => {
    if (SECRET_ALGORITHMS.includes(header.alg)) return secretOf(jose, header, secrets);
    try {
      return await byName(header, token);
    } catch (error) {
      if (!(error instanceof jose.errors.JWKSNoMatchingKey) || unnamed.length === 0) throw error;
      return withoutName({ alg: header.alg });
    }
  };
}

function secretOf(jose: Jose, { alg, kid }: JWTHeaderParameters, secrets: readonly JWK[]): Uint8Array {
  const secret = secrets.find((jwk) => (jwk.kid ?? kid) === kid && (jwk.alg ?? alg) === alg);
  if (secret === undefined) throw new jose.errors.JWKSNoMatchingKey();
  return Buffer.from(secret.k!, 'base64url');
}

/** The keys of a file. */
class KeyFile implements KeySource {
  readonly #file: WatchedFile<TokenKeys>;

  constructor(path: string, report: (error: Error | undefined) => void, clock: Clock) {
    this.#file = new WatchedFile(
      path,
      parseTokenKeys,
      accessFilesWatchMs,
      ({ error }) => report(error),
      clock,
    );
  }

  get current(): TokenKeys {
    return this.#file.current;
  }

  /** The file is looked at anyway. */
  async refresh(): Promise<void> {}

  close(): void {
    this.#file.close();
  }
}

function checkOptions({ keys, audience, issuer, algorithms }: TokenOptions): void {
  for (const algorithm of algorithms ?? []) {
    if (!TOKEN_ALGORITHMS.includes(algorithm)) {
      throw new Error(
        `'${algorithm}' is no algorithm of tokens that is served: ${TOKEN_ALGORITHMS.join(', ')}`,
      );
    }
  }
  if (isUrl(keys) && (audience === undefined || issuer === undefined)) {
    throw new Error('keys of a URL sign tokens for others too: issuer and audience have to be named');
  }
}

function isUrl(keys: string): boolean {
  return /^https?:\/\//i.test(keys);
}

/** `exp` is in seconds; nobody needs a token for longer than a date can be. */
function expiryOf({ exp }: JWTPayload): number {
  return Math.min(exp! * 1000, 8.64e15);
}
