import { createHash, createHmac, randomBytes } from 'node:crypto';
import { saltBytes, scramIterations } from '../../limits/access.ts';
import { pbkdf2Later } from './password-hash.ts';
import type { ScramKeys, ScramMechanism } from './user.ts';

/** The hash of a mechanism, as node:crypto names it, and its length. */
export const SCRAM_HASHES: Record<ScramMechanism, { name: string; bytes: number }> = {
  'SCRAM-SHA-256': { name: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { name: 'sha512', bytes: 64 },
};

/**
 * The keys of a password, RFC 5802, section 3.
 *
 * @param password prepared, see `passwords.ts`.
 */
export async function makeScramKeys(
  mechanism: ScramMechanism,
  password: Uint8Array,
  salt: Uint8Array = randomBytes(saltBytes),
  iterations: number = scramIterations,
): Promise<ScramKeys> {
  const { name, bytes } = SCRAM_HASHES[mechanism];
  return scramKeysOf(mechanism, await pbkdf2Later(password, salt, iterations, bytes, name), salt, iterations);
}

/** The keys of a password that was salted already, as Kafka's AlterUserScramCredentials sends it. */
export function scramKeysOf(
  mechanism: ScramMechanism,
  saltedPassword: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramKeys {
  const { name } = SCRAM_HASHES[mechanism];
  const clientKey = createHmac(name, saltedPassword).update('Client Key').digest();
  const storedKey = createHash(name).update(clientKey).digest();
  const serverKey = createHmac(name, saltedPassword).update('Server Key').digest();
  return { salt, iterations, storedKey, serverKey };
}
