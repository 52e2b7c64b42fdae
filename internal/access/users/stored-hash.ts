import { parseMosquittoHash } from '../mosquitto/password-hash.ts';
import { type PasswordHash, parseScryptHash } from './password-hash.ts';

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
