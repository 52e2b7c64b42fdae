import { parseMosquittoHash } from '../mosquitto/password-hash.ts';
import { type PasswordHash, parseScryptHash } from './password-hash.ts';
import { makeScramKeys } from './scram-keys.ts';
import { parseScramText, scramText } from './scram-text.ts';
import { SCRAM_MECHANISMS, type User } from './user.ts';

/** A stored hash, and whether it is one of another broker: made of the bytes as they came, and to be replaced. */
export interface StoredHash extends PasswordHash {
  readonly isForeign: boolean;
}

/** Any hash that a user may have; undefined for text that is none. */
export function parseStoredHash(text: string): StoredHash | undefined {
  const own = parseScryptHash(text);
  if (own !== undefined) return { ...own, isForeign: false };
  const foreign = parseMosquittoHash(text);
  return typeof foreign === 'string' ? undefined : { ...foreign, isForeign: true };
}

/**
 * What the password of a user is checked against, as text: the hash, or where there is none the keys for SCRAM, which
 * Kafka's admin clients make alone. Undefined for a user without a password.
 */
export function secretOf({ password, scram }: Pick<User, 'password' | 'scram'>): string | undefined {
  if (password !== undefined) return password;
  const mechanism = SCRAM_MECHANISMS.findLast((each) => scram[each] !== undefined);
  return mechanism === undefined ? undefined : scramText(mechanism, scram[mechanism]!);
}

/** Any {@link secretOf}. */
export function parseSecret(text: string): StoredHash | undefined {
  const scram = parseScramText(text);
  if (scram === undefined) return parseStoredHash(text);
  const { salt, iterations, storedKey } = scram.keys;
  const derive = async (password: Uint8Array) =>
    (await makeScramKeys(scram.mechanism, password, salt, iterations)).storedKey;
  return { salt, derive, hash: storedKey, isForeign: false };
}
