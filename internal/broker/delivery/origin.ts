/**
 * Where the messages of a publication come from: a client, of which there is one object for each connection; a log that they
 * were read from; or the broker itself.
 */
export type Origin = ClientOrigin | LogOrigin | { readonly kind: 'broker' };

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

/** The broker itself tells something. */
export const OWN: Origin = { kind: 'broker' };
