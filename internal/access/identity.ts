import type { CertificateNames } from '../lib/certificate-names.ts';

/** Who is at the other end of a connection, whichever door it came through. */
export interface Identity {
  /** The name that the authenticator found; undefined for an anonymous client. */
  readonly user: string | undefined;
  /** Groups of the user. */
  readonly groups: readonly string[];
  /** What the client calls itself; empty where its protocol has no such name or it was not said yet. */
  readonly clientId: string;
  /** The name of the door in the table of doors: `frames`, `mqtt`, `kafka`, `grpc`. */
  readonly door: string;
  /** The URL of the listener that accepted the connection. */
  readonly listener: string;
  /** Where the connection comes from: an address and port, or the socket's path. */
  readonly remote: string;
  /** The common name of a client certificate that the listener verified; undefined where it has none, or several. */
  readonly certificateName: string | undefined;
  /** When the credentials end, by `Date.now()`; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** What is known of a connection before its client has said who it is. */
export interface Peer
  extends Pick<Identity, 'clientId' | 'door' | 'listener' | 'remote' | 'certificateName'> {
  /** All names in that certificate. */
  readonly certificate?: CertificateNames;
}

/** The identity of a client that nobody authenticated. */
export function anonymous(peer: Peer): Identity {
  return identityOf(peer, {});
}

/** What an authenticator learned, joined with what the connection says of itself. */
export function identityOf(
  peer: Peer,
  found: Partial<Pick<Identity, 'user' | 'groups' | 'expiresAtMs'>>,
): Identity {
  const { clientId, door, listener, remote, certificateName } = peer;
  const { user, groups = NO_GROUPS, expiresAtMs } = found;
  return { user, groups, clientId, door, listener, remote, certificateName, expiresAtMs };
}

const NO_GROUPS: readonly string[] = [];
