import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { maxTokenKeys } from '../../../limits/access.ts';

/** Keys that sign tokens. */
export interface TokenKeys {
  /** Public keys with an id: a token names the one that it was signed with. */
  readonly named: readonly JWK[];
  /** Public keys without one, such as those of PEM files; they are tried. */
  readonly unnamed: readonly JWK[];
  /** Secrets that both sides know, for the algorithms HS256 and so on. */
  readonly secrets: readonly JWK[];
}

/**
 * Reads keys in PEM format (public keys, certificates), a JWK (RFC 7517), or a set of them.
 *
 * @throws Error that says what does not work, and repeats nothing of the file.
 */
export function parseTokenKeys(text: string): TokenKeys {
  const jwks = text.includes('-----BEGIN ') ? jwksOfPem(text) : jwksOfJson(text);
  if (jwks.length === 0) throw new Error('it holds no key');
  if (jwks.length > maxTokenKeys) throw new Error(`it holds more than ${maxTokenKeys} keys`);
  return tokenKeysOf(jwks);
}

/** Keys that came over a network: a secret that everybody can fetch is none. */
export function parsePublishedKeys(text: string): TokenKeys {
  const { named, unnamed } = parseTokenKeys(text);
  if (named.length + unnamed.length === 0) throw new Error('it holds no public key');
  return { named, unnamed, secrets: [] };
}

function tokenKeysOf(jwks: readonly JWK[]): TokenKeys {
  const secrets = jwks.filter(({ kty }) => kty === 'oct');
  const published = jwks.filter(({ kty }) => kty !== 'oct');
  return {
    named: published.filter(({ kid }) => kid !== undefined),
    unnamed: published.filter(({ kid }) => kid === undefined),
    secrets,
  };
}

function jwksOfPem(text: string): JWK[] {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
  return blocks.map((block) => {
    if (block.includes('PRIVATE KEY-----'))
      throw new Error('it holds a private key; the broker needs the public one');
    try {
      return createPublicKey(block).export({ format: 'jwk' }) as JWK;
    } catch {
      throw new Error('it holds something in PEM format that is no public key and no certificate');
    }
  });
}

function jwksOfJson(text: string): JWK[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is neither PEM nor JSON');
  }
  const keys = isObject(value) && Array.isArray(value.keys) ? value.keys : [value];
  return keys.map(checkedJwk);
}

/** RFC 7517, section 4, as far as it matters here; what is left a library checks when a key is used. */
function checkedJwk(value: unknown): JWK {
  if (!isObject(value) || typeof value.kty !== 'string') throw new Error('it holds something that is no JWK');
  if (value.kid !== undefined && typeof value.kid !== 'string') throw new Error('the id of a key is no text');
  if (value.kty === 'oct') return checkedSecret(value);
  if ('d' in value) throw new Error('it holds a private key; the broker needs the public one');
  return value;
}

function checkedSecret(jwk: JWK): JWK {
  const bytes = typeof jwk.k === 'string' ? Buffer.from(jwk.k, 'base64url').length : 0;
  // RFC 7518, section 3.2: as long as the hash.
  if (bytes < 32) throw new Error('a secret is shorter than 32 bytes');
  return jwk;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
