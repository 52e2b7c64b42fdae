import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Failure } from '../../lib/failure.ts';

const HASHES = {
  'SCRAM-SHA-256': { name: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { name: 'sha512', bytes: 64 },
} as const;

export type ScramMechanism = keyof typeof HASHES;

/** A server that asks for more work than this wants to keep the client busy. */
const MOST_ITERATIONS = 10_000_000;
/** RFC 5802, section 9: fewer make the password easy to guess for whoever hears the conversation. */
const FEWEST_ITERATIONS = 4_096;
const NONCE_BYTES = 18;
/** No channel binding: `n,,` in base64. */
const NO_BINDING = 'biws';
const pbkdf2Later = promisify(pbkdf2);

/**
 * The client's side of SCRAM (RFC 5802): it shows that it knows the password without sending it, and so does the server.
 */
export class ScramClient {
  readonly #hash: { readonly name: string; readonly bytes: number };
  readonly #password: string;
  readonly #firstBare: string;
  readonly #nonce: string;
  #serverSignature: Buffer | undefined;

  constructor(
    mechanism: ScramMechanism,
    user: string,
    password: string,
    nonce = randomBytes(NONCE_BYTES).toString('base64'),
  ) {
    this.#hash = HASHES[mechanism];
    // The part of SASLprep (RFC 4013) that changes what people type.
    this.#password = password
      .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
      .normalize('NFKC');
    this.#nonce = nonce;
    this.#firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  first(): Uint8Array {
    return Buffer.from(`n,,${this.#firstBare}`);
  }

  /** The answer to the server's first message. @throws Failure where that is not to be trusted. */
  async final(serverFirst: Uint8Array): Promise<Uint8Array> {
    const text = Buffer.from(serverFirst).toString();
    const [, nonce, salt, count] = /^r=([^,]+),s=([^,]+),i=(\d{1,9})(?:,|$)/.exec(text) ?? [];
    const iterations = Number(count);
    if (nonce === undefined || salt === undefined)
      throw new Failure('the login failed: no message of SCRAM came');
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw new Failure('the login failed: the server answered somebody else');
    }
    if (iterations < FEWEST_ITERATIONS || iterations > MOST_ITERATIONS) {
      throw new Failure(`the login failed: the server asks for ${iterations} iterations`);
    }
    const { name, bytes } = this.#hash;
    const salted = await pbkdf2Later(this.#password, Buffer.from(salt, 'base64'), iterations, bytes, name);
    const withoutProof = `c=${NO_BINDING},r=${nonce}`;
    const signed = `${this.#firstBare},${text},${withoutProof}`;
    const clientKey = this.#hmac(salted, 'Client Key');
    const signature = this.#hmac(createHash(name).update(clientKey).digest(), signed);
    const proof = clientKey.map((byte, index) => byte ^ signature[index]!);
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), signed);
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** @throws Failure where the server does not know the password either. */
  verify(serverFinal: Uint8Array): void {
    const [, verifier] = /^v=([^,]+)/.exec(Buffer.from(serverFinal).toString()) ?? [];
    const shown = Buffer.from(verifier ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === undefined || shown.length !== expected.length || !timingSafeEqual(shown, expected)) {
      throw new Failure('the login failed: the server could not show that it knows the password');
    }
  }

  #hmac(key: Uint8Array, text: string): Buffer {
    return createHmac(this.#hash.name, key).update(text).digest();
  }
}
