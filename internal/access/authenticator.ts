import type { ErrorCode } from '../errors.ts';
import { anonymous, type Identity, type Peer } from './identity.ts';

/** What a client shows to prove who it is. Never logged. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: Uint8Array | undefined }
  | { readonly kind: 'token'; readonly token: string };

/** Why somebody is not let in. */
export interface Refusal {
  /** In words that the client may see. */
  readonly reason: string;
  /** Default: `bad-credentials`. */
  readonly code?: ErrorCode;
  /** Who it claims to be, and what was wrong, for the log of the broker only. */
  readonly user?: string;
  readonly cause?: string;
  /**
   * Whether there is such a user. A name that nobody has may be a password that was typed into the wrong field, so not even
   * the log has it. Default: yes.
   */
  readonly isUserKnown?: boolean;
}

/** Finds out who a client is. */
export interface Authenticator {
  /**
   * Checks what a client shows. An answer that is there at once may be returned without a promise, so that a broker
   * without users lets its clients in within the same turn. A promise that rejects refuses the client.
   */
  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal>;
  /** The SASL mechanisms of {@link beginExchange}. Without them doors offer those that one message is enough for. */
  readonly mechanisms?: readonly string[] | undefined;
  /** Begins a conversation by which a client proves who it is (RFC 4422); undefined where it serves none at present. */
  beginExchange?(peer: Peer, mechanism: string): SaslExchange | Refusal | undefined;
}

/** One conversation. Nothing is kept of it when it is over or given up. */
export interface SaslExchange {
  /** Takes a message of the client. It never rejects: whatever is wrong is a refusal, and ends the conversation. */
  step(message: Uint8Array): Promise<SaslStep>;
}

export type SaslStep =
  | { readonly kind: 'challenge'; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly bytes: Uint8Array; readonly identity: Identity }
  | Refusal;

export const NO_CREDENTIALS: Credentials = { kind: 'none' };

/** The authenticator of a broker without users: everybody is anonymous, whatever they show. */
export const everybodyIsAnonymous: Authenticator = { authenticate: (peer) => anonymous(peer) };

/** The user of a refusal, where it may be told to whoever looks after the broker. */
export function userToTell({ user, isUserKnown = true }: Refusal): string | undefined {
  return isUserKnown ? user : undefined;
}

export function isRefusal<T extends object>(answer: T | Refusal): answer is Refusal {
  return 'reason' in answer;
}
