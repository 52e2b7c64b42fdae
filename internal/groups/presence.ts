/** The sender of requests of groups: one connection. */
export interface GroupClient {
  /** The peer's address without the port. */
  readonly host: string;
  /** Aborted when the connection is gone. */
  readonly closed: AbortSignal;
}

/** A member that is present as long as one of the connections that it used is open. */
export interface Present {
  /** Only {@link Presence} changes it. */
  readonly clients: Set<GroupClient>;
  /** The last of its connections was closed. */
  gone(): void;
}

/** Knows which members a connection speaks for, so that its end is their end. */
export class Presence {
  readonly #byClient = new WeakMap<GroupClient, Set<Present>>();

  /** This one uses this connection, which is open, among others. */
  attach(one: Present, client: GroupClient): void {
    if (one.clients.has(client)) return;
    one.clients.add(client);
    let others = this.#byClient.get(client);
    if (others === undefined) {
      others = new Set();
      this.#byClient.set(client, others);
      client.closed.addEventListener('abort', () => this.#close(client), { once: true });
    }
    others.add(one);
  }

  /** This one is no more. */
  detach(one: Present): void {
    for (const client of one.clients) this.#byClient.get(client)?.delete(one);
    one.clients.clear();
  }

  #close(client: GroupClient): void {
    const all = this.#byClient.get(client);
    if (all === undefined) return;
    this.#byClient.delete(client);
    for (const one of all) one.clients.delete(client);
    for (const one of all) if (one.clients.size === 0) one.gone();
  }
}
