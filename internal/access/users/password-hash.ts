import { pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import {
  maxHashMemoryBytes,
  saltBytes,
  scryptBlockSize,
  scryptCost,
  scryptParallelization,
} from '../../limits/access.ts';

/** The hash of a password as it is stored: `scrypt$N$r$p$salt$hash`, with salt and hash in base64. */
export interface PasswordHash {
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
  /** Hashes a password in the same way. It runs in the thread pool where it takes time. */
  derive(password: Uint8Array): Promise<Uint8Array>;
}

const HASH_BYTES = 32;

const scryptLater = promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt);

/** @param password prepared, see `passwords.ts`. */
export async function hashPassword(password: Uint8Array): Promise<string> {
  const salt = randomBytes(saltBytes);
  const parameters = { cost: scryptCost, blockSize: scryptBlockSize, parallelization: scryptParallelization };
  const hash = await deriveScrypt(password, salt, HASH_BYTES, parameters);
  const { cost, blockSize, parallelization } = parameters;
  return ['scrypt', cost, blockSize, parallelization, salt.toString('base64'), hash.toString('base64')].join(
    '$',
  );
}

/** @returns undefined for text that is no hash of this kind, or asks for more than a broker gives. */
export function parseScryptHash(text: string): PasswordHash | undefined {
  const [name, cost, blockSize, parallelization, salt, hash, ...rest] = text.split('$');
  if (name !== 'scrypt' || hash === undefined || rest.length > 0) return undefined;
  const parameters = {
    cost: wholeNumber(cost),
    blockSize: wholeNumber(blockSize),
    parallelization: wholeNumber(parallelization),
  };
  const [saltBytes, hashBytes] = [fromBase64(salt), fromBase64(hash)];
  if (saltBytes === undefined || hashBytes === undefined || !isAffordable(parameters)) return undefined;
  if (saltBytes.length < 8 || hashBytes.length < 16 || hashBytes.length > 128) return undefined;
  return {
    salt: saltBytes,
    hash: hashBytes,
    derive: (password) => deriveScrypt(password, saltBytes, hashBytes.length, parameters),
  };
}

interface ScryptParameters {
  cost: number;
  blockSize: number;
  parallelization: number;
}

function isAffordable({ cost, blockSize, parallelization }: ScryptParameters): boolean {
  const isPowerOfTwo = cost > 1 && Number.isInteger(Math.log2(cost));
  const isInRange = blockSize > 0 && blockSize <= 64 && parallelization > 0 && parallelization <= 16;
  return isPowerOfTwo && isInRange && 128 * cost * blockSize <= maxHashMemoryBytes;
}

function deriveScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  bytes: number,
  parameters: ScryptParameters,
): Promise<Buffer> {
  return scryptLater(password, salt, bytes, { ...parameters, maxmem: 2 * maxHashMemoryBytes });
}

/** Whether two hashes are the same, in a time that does not tell how much of them is. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A decimal number without sign or leading zero; NaN for anything else. */
export function wholeNumber(text: string): number {
  return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : Number.NaN;
}

/** The bytes of canonical base64; undefined for anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

export const pbkdf2Later = promisify(pbkdf2);
