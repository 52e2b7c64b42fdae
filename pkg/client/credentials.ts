import type { FrameCredentials } from '../../internal/protocol/frame/credentials.ts';
import { TinymqError } from './errors.ts';

/** A secret, or what gets a fresh one each time the client connects. */
export type Secret = string | (() => string | Promise<string>);

/** How a client proves who it is. */
export interface CredentialOptions {
  /** The user. With a token it is the token that says who that is. */
  user?: string;
  /** The password of the user. A function is called at each connect, so that it may have changed. */
  password?: Secret;
  /** A token in place of user and password. A function is called at each connect, because tokens end. */
  token?: Secret;
}

/** @throws TinymqError `invalid-option`. */
export function checkCredentials({ user, password, token }: CredentialOptions): void {
  if (user !== undefined && typeof user !== 'string') throw invalid('user is text');
  for (const [name, secret] of Object.entries({ password, token })) {
    if (secret !== undefined && typeof secret !== 'string' && typeof secret !== 'function') {
      throw invalid(`${name} is text, or a function that returns it`);
    }
  }
  if (token !== undefined && (user !== undefined || password !== undefined)) {
    throw invalid('token comes in place of user and password: give one of them');
  }
  if (password !== undefined && user === undefined) throw invalid('password needs user');
}

/** What the client shows on a new connection; undefined where it shows nothing. */
export async function credentialsOf(options: CredentialOptions): Promise<FrameCredentials | undefined> {
  const { user, password, token } = options;
  if (token !== undefined) return { kind: 'token', token: await secretOf(token, 'token') };
  if (user === undefined) return undefined;
  const secret = password === undefined ? undefined : await secretOf(password, 'password');
  return {
    kind: 'password',
    user,
    password: secret === undefined ? undefined : new TextEncoder().encode(secret),
  };
}

async function secretOf(secret: Secret, name: string): Promise<string> {
  const value: unknown = typeof secret === 'function' ? await secret() : secret;
  if (typeof value !== 'string') throw invalid(`the function ${name} returned no text`);
  return value;
}

function invalid(problem: string): TinymqError {
  return new TinymqError('invalid-option', problem);
}
