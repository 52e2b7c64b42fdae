import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  nkeys,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { systemReason } from '../lib/system-reason.ts';
import { StoreError } from '../store/store-error.ts';

/** A key for a user of NATS servers: they have the public half in their configuration, and never see the other one. */
export interface NewKey {
  readonly publicKey: string;
  /** What a file of credentials has in it; secret. */
  readonly seed: string;
}

export function newKey(): NewKey {
  const pair = nkeys.createUser();
  return { publicKey: pair.getPublicKey(), seed: Buffer.from(pair.getSeed()).toString() };
}

/**
 * How this node says who it is, from a file in one of three forms: credentials as NATS' own tools write them (a JWT and a key), the
 * seed of a key alone, or `USER:PASSWORD`.
 *
 * @throws StoreError `unsupported` where the file cannot be read or has none of them; what is in it is told nowhere.
 */
export function authenticatorOf(file: string): Authenticator {
  const content = contentOf(file);
  const form = FORMS.find(({ looksLike }) => looksLike.test(content));
  const authenticator = form?.make(content);
  if (authenticator === undefined) {
    throw new StoreError(
      'unsupported',
      `${file} has no credentials for NATS: they are a .creds file, the seed of a user's key (SU…), or one line USER:PASSWORD`,
    );
  }
  return authenticator;
}

const FORMS: readonly { looksLike: RegExp; make(content: string): Authenticator | undefined }[] = [
  { looksLike: /^-{3,}BEGIN NATS USER JWT-{3,}/, make: fromCredentials },
  { looksLike: /^SU[A-Z2-7]+$/, make: fromSeed },
  { looksLike: /^[^\s:]+:\S.*$/, make: fromPassword },
];

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new StoreError('unsupported', `cannot read the credentials in ${file}: ${systemReason(error)}`);
  }
}

function fromCredentials(content: string): Authenticator | undefined {
  const seed = /-{3,}BEGIN USER NKEY SEED-{3,}\s+(\S+)/.exec(content)?.[1];
  if (seed === undefined || !isSeed(seed)) return undefined;
  return credsAuthenticator(Buffer.from(`${content}\n`));
}

function fromSeed(content: string): Authenticator | undefined {
  return isSeed(content) ? nkeyAuthenticator(Buffer.from(content)) : undefined;
}

function isSeed(text: string): boolean {
  try {
    nkeys.fromSeed(Buffer.from(text));
    return true;
  } catch {
    return false;
  }
}

function fromPassword(content: string): Authenticator {
  const colon = content.indexOf(':');
  return usernamePasswordAuthenticator(content.slice(0, colon), content.slice(colon + 1));
}
