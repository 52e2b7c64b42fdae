import { base64Of, bytesOfBase64 } from './base64.ts';
import { CONNECT_PAYLOAD_BYTES } from './frame.ts';

/** What a client shows in CONNECT to prove who it is (docs/frames.md, `credentials`). Never logged. */
export type FrameCredentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: Uint8Array | undefined }
  | { readonly kind: 'token'; readonly token: string };

/** Credentials that have no meaning. The message says nothing of what they are. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

/** The words that follow `credentials` in the offer of CONNECT. @throws CredentialsError where they would be too long. */
export function formatCredentials(credentials: FrameCredentials): string {
  const words = wordsOf(credentials);
  if (words.length > MOST_CHARACTERS)
    throw new CredentialsError('the credentials are too long for a CONNECT');
  return words;
}

/**
 * The credentials in the payload of a CONNECT that offers them; undefined where it has none. Words that are unknown are
 * passed over.
 *
 * @throws CredentialsError
 */
export function parseCredentials(payload: Uint8Array): FrameCredentials | undefined {
  const words = new Map<string, string>();
  for (const word of new TextDecoder().decode(payload).split(' ')) {
    const end = word.indexOf('=');
    if (end > 0 && words.has(word.slice(0, end))) throw new CredentialsError('a word comes twice');
    if (end > 0) words.set(word.slice(0, end), word.slice(end + 1));
  }
  const [user, password, token] = [words.get('user'), words.get('password'), words.get('token')];
  if (token !== undefined) {
    if (user !== undefined || password !== undefined) {
      throw new CredentialsError('there is a token and a user; one of them says who the client is');
    }
    return { kind: 'token', token: textOf(token) };
  }
  if (user === undefined) {
    if (password !== undefined) throw new CredentialsError('there is a password and no user');
    return undefined;
  }
  return {
    kind: 'password',
    user: textOf(user),
    password: password === undefined ? undefined : bytesOf(password),
  };
}

/** Room for the names of extensions beside them. */
const MOST_CHARACTERS = CONNECT_PAYLOAD_BYTES - 256;

function wordsOf(credentials: FrameCredentials): string {
  const utf8 = new TextEncoder();
  if (credentials.kind === 'token') return `token=${base64Of(utf8.encode(credentials.token))}`;
  const { user, password } = credentials;
  const first = `user=${base64Of(utf8.encode(user))}`;
  return password === undefined ? first : `${first} password=${base64Of(password)}`;
}

function bytesOf(base64: string): Uint8Array {
  const bytes = bytesOfBase64(base64);
  if (bytes === undefined) throw new CredentialsError('a value is no base64');
  return bytes;
}

function textOf(base64: string): string {
  const bytes = bytesOf(base64);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CredentialsError('a value is no UTF-8');
  }
}
