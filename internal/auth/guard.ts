/** Who asks. */
export interface Identity {
  readonly clientId: string;
  /** Where the connection comes from, for the guard's own rules and the log. */
  readonly remote: string;
  /** The common name of a client certificate that the listener verified. */
  readonly certificateName?: string;
}

/**
 * Decides who may connect, publish and subscribe. Each answer is `undefined` for yes, or the reason for no in
 * words that the client may see.
 */
export interface Guard {
  mayConnect(who: Identity): string | undefined;
  /** Asked once per connection and topic while the answer is remembered, not for each message. */
  mayPublish(who: Identity, topic: string): string | undefined;
  /** The filter that decides which topics match: of a shared or replayed one, what stands behind group or start. */
  maySubscribe(who: Identity, filter: string): string | undefined;
}

/** The guard of a broker without users: everybody may do everything. */
export const allowAll: Guard = {
  mayConnect: () => undefined,
  mayPublish: () => undefined,
  maySubscribe: () => undefined,
};
