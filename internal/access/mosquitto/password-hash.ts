import * as nodeCrypto from 'node:crypto';
import { createHash } from 'node:crypto';
import { maxHashIterations, maxHashMemoryBytes } from '../../limits/access.ts';
import { fromBase64, type PasswordHash, pbkdf2Later, wholeNumber } from '../users/password-hash.ts';

/** Why a hash of mosquitto's cannot be checked here. */
export type HashProblem = 'no-hash' | 'unknown-kind' | 'too-costly' | 'needs-newer-node';

const [SALTED_SHA512, PBKDF2_SHA512, ARGON2ID] = ['6', '7', 'argon2id'];
const SHA512_BYTES = 64;

/**
 * A hash as mosquitto_passwd writes it: `$6$salt$hash` (until 1.6), `$7$iterations$salt$hash` (2.0), or argon2id in the form
 * of the Password Hashing Competition (2.1). They were made of the very bytes that a client sent.
 */
export function parseMosquittoHash(text: string): PasswordHash | HashProblem {
  const [empty, kind, ...rest] = text.split('$');
  if (empty !== '' || kind === undefined || rest.length === 0) return 'no-hash';
  if (kind === SALTED_SHA512) return saltedSha512(rest);
  if (kind === PBKDF2_SHA512) return pbkdf2Sha512(rest);
  return kind === ARGON2ID ? argon2id(rest) : 'unknown-kind';
}

function saltedSha512([saltText = '', hashText = '', ...more]: string[]): PasswordHash | HashProblem {
  const [salt, hash] = [fromBase64(saltText), fromBase64(hashText)];
  if (salt === undefined || hash?.length !== SHA512_BYTES || more.length > 0) return 'no-hash';
  return {
    salt,
    hash,
    derive: async (password) => createHash('sha512').update(password).update(salt).digest(),
  };
}

function pbkdf2Sha512(parts: string[]): PasswordHash | HashProblem {
  const [iterationsText = '', saltText = '', hashText = '', ...more] = parts;
  const iterations = wholeNumber(iterationsText);
  const [salt, hash] = [fromBase64(saltText), fromBase64(hashText)];
  if (Number.isNaN(iterations) || salt === undefined || more.length > 0) return 'no-hash';
  if (hash?.length !== SHA512_BYTES) return 'no-hash';
  if (iterations > maxHashIterations) return 'too-costly';
  return {
    salt,
    hash,
    derive: (password) => pbkdf2Later(password, salt, iterations, SHA512_BYTES, 'sha512'),
  };
}

/** Rounds over the memory, and lanes, that a hash may ask for. */
const [MAX_PASSES, MAX_LANES] = [64, 16];

function argon2id(parts: string[]): PasswordHash | HashProblem {
  const [version, parameters = '', saltText = '', hashText = '', ...more] = parts;
  const match = /^m=([1-9]\d{0,8}),t=([1-9]\d{0,5}),p=([1-9]\d{0,3})$/.exec(parameters);
  const [salt, hash] = [fromUnpadded(saltText), fromUnpadded(hashText)];
  if (version !== 'v=19' || match === null || salt === undefined || more.length > 0) return 'no-hash';
  if (hash === undefined || hash.length < 16 || hash.length > 128 || salt.length < 8) return 'no-hash';
  const [memory, passes, parallelism] = match.slice(1).map(Number) as [number, number, number];
  if (memory * 1_024 > maxHashMemoryBytes || passes > MAX_PASSES || parallelism > MAX_LANES)
    return 'too-costly';
  const { argon2 } = nodeCrypto;
  // Node has it from version 24.7 on.
  if (argon2 === undefined) return 'needs-newer-node';
  const derive = (message: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) => {
      const options = { message, nonce: salt, parallelism, tagLength: hash.length, memory, passes };
      argon2(ARGON2ID as 'argon2id', options, (error, derived) => (error ? reject(error) : resolve(derived)));
    });
  return { salt, hash, derive };
}

function fromUnpadded(text: string): Uint8Array | undefined {
  return fromBase64(text + '='.repeat((4 - (text.length % 4)) % 4));
}
