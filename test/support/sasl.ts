import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { SaslExchange, SaslStep } from '../../internal/access/authenticator.ts';

/** The reason of a refusal; fails for anything else. */
export function reasonOf(step: SaslStep): string {
  if ('reason' in step) return step.reason;
  throw new Error(`a refusal was expected, and it was a ${step.kind}: ${text(step.bytes)}`);
}

/** The text of a challenge; fails for anything else. */
export function challengeOf(step: SaslStep): string {
  if ('kind' in step && step.kind === 'challenge') return text(step.bytes);
  throw new Error(`a challenge was expected: ${JSON.stringify(step)}`);
}

/** What an exchange that succeeded ends with. */
export function accepted(step: SaslStep): { text: string; user: string | undefined } {
  if ('kind' in step && step.kind === 'done') return { text: text(step.bytes), user: step.identity.user };
  throw new Error(`the end of an exchange was expected: ${JSON.stringify(step)}`);
}

/** Gives an exchange one message of text. */
export function say(exchange: SaslExchange, message: string): Promise<SaslStep> {
  return exchange.step(Buffer.from(message));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** The client's side of SCRAM, written after RFC 5802 and knowing nothing of ours. */
export class ScramClient {
  readonly first: string;
  readonly #hash: string;
  readonly #password: string;
  readonly #bare: string;
  readonly #header: string;
  readonly #repeatsItsNonce: boolean;
  #serverSignature = '';

  /** @param repeatsItsNonce as librdkafka before 2.6.1 does, in front of the whole nonce. */
  constructor(
    mechanism: string,
    user: string,
    password: string,
    { header = 'n,,', repeatsItsNonce = false } = {},
  ) {
    this.#hash = mechanism === 'SCRAM-SHA-512' ? 'sha512' : 'sha256';
    this.#password = password;
    this.#header = header;
    this.#repeatsItsNonce = repeatsItsNonce;
    const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#bare = `n=${name},r=${randomBytes(18).toString('base64')}`;
    this.first = header + this.#bare;
  }

  /** The final message, the answer to the server's first. */
  final(serverFirst: string): string {
    const { r, s, i } = Object.fromEntries(
      serverFirst.split(',').map((part) => [part[0], part.slice(2)] as const),
    );
    const salted = pbkdf2Sync(
      this.#password,
      Buffer.from(s, 'base64'),
      Number(i),
      this.#hash === 'sha512' ? 64 : 32,
      this.#hash,
    );
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const own = this.#repeatsItsNonce ? this.#bare.slice(this.#bare.indexOf(',r=') + 3) : '';
    const withoutProof = `c=${Buffer.from(this.#header).toString('base64')},r=${own}${r}`;
    const signed = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = this.#hmac(storedKey, signed);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]));
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), signed).toString('base64');
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Whether the server's final message proves that it has the keys. */
  accepts(serverFinal: string): boolean {
    return serverFinal === `v=${this.#serverSignature}`;
  }

  #hmac(key: Uint8Array, message: string): Buffer {
    return createHmac(this.#hash, key).update(message).digest();
  }
}
