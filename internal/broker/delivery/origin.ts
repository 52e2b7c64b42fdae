/**
 * Where the messages of a publication come from: a client, of which there is one object for each connection; a log that they
 * were read from; another node of the cluster; or the broker itself.
 */
export type Origin = ClientOrigin | LogOrigin | NodeOrigin | { readonly kind: 'broker' };

export interface ClientOrigin {
  readonly kind: 'client';
  /** Of the client that published, or whose will it is. */
  readonly clientId: string;
}

export interface LogOrigin {
  readonly kind: 'log';
  /** The name of the log, which must not take the messages again. */
  readonly name: string;
}

/** A node that has given its logs and groups what they are to have, and tells no third node. */
export interface NodeOrigin {
  readonly kind: 'node';
  readonly id: number;
}

/** The broker itself tells something. */
export const OWN: Origin = { kind: 'broker' };
