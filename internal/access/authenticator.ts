import { anonymous, type Identity, type Peer } from './identity.ts';

/** What a client shows to prove who it is. Never logged. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: Uint8Array | undefined }
  | { readonly kind: 'token'; readonly token: string };

/** Why somebody is not let in, in words that the client may see. */
export interface Refusal {
  readonly reason: string;
}

/** Finds out who a client is. */
export interface Authenticator {
  /**
   * Checks what a client shows. An answer that is there at once may be returned without a promise, so that a broker
   * without users lets its clients in within the same turn. A promise that rejects refuses the client.
   */
  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal>;
}

export const NO_CREDENTIALS: Credentials = { kind: 'none' };

/** The authenticator of a broker without users: everybody is anonymous, whatever they show. */
export const everybodyIsAnonymous: Authenticator = { authenticate: (peer) => anonymous(peer) };

export function isRefusal(answer: Identity | Refusal): answer is Refusal {
  return 'reason' in answer;
}
