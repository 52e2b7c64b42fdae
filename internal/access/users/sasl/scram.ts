import { createHash, createHmac, randomBytes } from 'node:crypto';
import { maxClientNonceCharacters } from '../../../limits/access.ts';
import { isRefusal, type Refusal, type SaslExchange } from '../../authenticator.ts';
import type { Identity } from '../../identity.ts';
import { fromBase64, isSame } from '../password-hash.ts';
import { prepared } from '../saslprep.ts';
import { SCRAM_HASHES } from '../scram-keys.ts';
import type { ScramKeys, ScramMechanism } from '../user.ts';
import { exchangeOf, SaslError, textOf } from './exchange.ts';
import { checkAuthorizationId, nameOf } from './names.ts';

/** Where an exchange finds users. */
export interface ScramUsers {
  /** The keys of a user; of one who is not there, keys that no password fits. */
  keysOf(mechanism: ScramMechanism, user: string): ScramKeys;
  /** Ends the exchange with a user who proved the password of these keys, if they still are the user's. */
  letIn(mechanism: ScramMechanism, user: string, keys: ScramKeys): Identity | Refusal;
  /** Ends it with one who did not. */
  refuse(user: string): Refusal;
}

/** What the first message of the client says. */
interface ClientFirst {
  /** How far the client binds the exchange to its channel: `n,,` or `y,,`, with an authorization id in between. */
  header: string;
  bare: string;
  user: string;
  nonce: string;
}

/**
 * SCRAM, RFC 5802 and RFC 7677, without channel binding: the client proves that it has the password, and the server that
 * it has the keys, without either being sent.
 *
 * @param makeNonce for tests with the vectors of the RFCs.
 */
export function beginScram(
  mechanism: ScramMechanism,
  users: ScramUsers,
  makeNonce: () => string = () => randomBytes(24).toString('base64'),
): SaslExchange {
  let first: ClientFirst;
  let keys: ScramKeys;
  let nonce: string;
  let serverFirst: string;
  return exchangeOf([
    (message) => {
      first = parseClientFirst(textOf(message));
      keys = users.keysOf(mechanism, first.user);
      nonce = first.nonce + makeNonce();
      serverFirst = `r=${nonce},s=${Buffer.from(keys.salt).toString('base64')},i=${keys.iterations}`;
      return { kind: 'challenge', bytes: Buffer.from(serverFirst) };
    },
    (message) => {
      const { withoutProof, proof } = parseClientFinal(textOf(message), first, nonce);
      const signed = `${first.bare},${serverFirst},${withoutProof}`;
      if (!isProof(mechanism, keys, signed, proof)) return users.refuse(first.user);
      const identity = users.letIn(mechanism, first.user, keys);
      if (isRefusal(identity)) return identity;
      return { kind: 'done', bytes: serverFinal(mechanism, keys, signed), identity };
    },
  ]);
}

/** Whoever has the client's key, which is hashed to the stored one, can make the proof. */
function isProof(mechanism: ScramMechanism, keys: ScramKeys, signed: string, proof: Uint8Array): boolean {
  const { name, bytes } = SCRAM_HASHES[mechanism];
  if (proof.length !== bytes) throw new SaslError(`its proof is not ${bytes} bytes`);
  const signature = createHmac(name, keys.storedKey).update(signed).digest();
  const clientKey = proof.map((byte, index) => byte ^ signature[index]);
  return isSame(createHash(name).update(clientKey).digest(), keys.storedKey);
}

function serverFinal(mechanism: ScramMechanism, { serverKey }: ScramKeys, signed: string): Uint8Array {
  const signature = createHmac(SCRAM_HASHES[mechanism].name, serverKey).update(signed).digest('base64');
  return Buffer.from(`v=${signature}`);
}

/** `n,[a=authzid],n=user,r=nonce` and extensions, which mean nothing here. */
function parseClientFirst(message: string): ClientFirst {
  const [binding, authorization, name, nonce, ...extensions] = message.split(',');
  if (nonce === undefined) throw new SaslError('it has fewer than four parts');
  if (binding.startsWith('p=')) throw new SaslError('channel binding is not served');
  if (binding !== 'n' && binding !== 'y') throw new SaslError('it does not say whether it binds the channel');
  const user = userOf(attribute('n', name));
  if (authorization !== '') checkAuthorizationId(nameOf(attribute('a', authorization)), user);
  checkExtensions(extensions);
  const header = `${binding},${authorization},`;
  return { header, bare: message.slice(header.length), user, nonce: checkedNonce(attribute('r', nonce)) };
}

/**
 * `c=header,r=nonce`, extensions, `p=proof`.
 *
 * librdkafka before 2.6.1 (kcat of Debian 12, and what is built on such a one) puts its own nonce before the whole one
 * again. That takes nothing away: the proof signs our first message, which has the nonce of this exchange.
 */
function parseClientFinal(
  message: string,
  { header, nonce: clientNonce }: ClientFirst,
  nonce: string,
): { withoutProof: string; proof: Uint8Array } {
  const proofAt = message.lastIndexOf(',p=');
  if (proofAt === -1) throw new SaslError('it has no proof');
  const withoutProof = message.slice(0, proofAt);
  const [binding, sentNonce = '', ...extensions] = withoutProof.split(',');
  checkExtensions(extensions);
  if (attribute('c', binding) !== Buffer.from(header).toString('base64')) {
    throw new SaslError('it repeats another header than the first message had');
  }
  const repeated = attribute('r', sentNonce);
  if (repeated !== nonce && repeated !== clientNonce + nonce)
    throw new SaslError('its nonce is not that of this exchange');
  const proof = fromBase64(message.slice(proofAt + 3));
  if (proof === undefined) throw new SaslError('its proof is not base64');
  return { withoutProof, proof };
}

function attribute(name: string, text: string): string {
  if (!text.startsWith(`${name}=`)) throw new SaslError(`where ${name}= is expected there is something else`);
  return text.slice(2);
}

/** RFC 5802, section 5.1: extensions are passed over, unless the client says that they are mandatory. */
function checkExtensions(extensions: readonly string[]): void {
  for (const extension of extensions) {
    if (!/^[A-Za-z]=./u.test(extension)) throw new SaslError('an extension has no name and value');
    if (extension.startsWith('m=')) throw new SaslError('it has a mandatory extension, and none is served');
  }
}

function userOf(saslName: string): string {
  const name = prepared(nameOf(saslName));
  if (name === undefined || name === '')
    throw new SaslError('its user name is empty or has forbidden characters');
  return name;
}

/** Printable ASCII without a comma. */
function checkedNonce(nonce: string): string {
  if (nonce.length > maxClientNonceCharacters) throw new SaslError('its nonce is too long');
  if (!/^[!-+\--~]+$/.test(nonce)) throw new SaslError('its nonce is not printable');
  return nonce;
}
