import type { Identity } from '../access/identity.ts';
import { BrokerError, nameForLog, quoted } from '../errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Fates } from '../observe/fates.ts';
import type { Counter, Metrics } from '../observe/metrics.ts';
import { Client, type ClientEvents, type ClientSpec } from './client.ts';
import type { ChannelLimits } from './delivery/channel.ts';
import type { ChannelTotal } from './delivery/channel-total.ts';
import type { Turn } from './delivery/turn.ts';
import { Losses } from './losses.ts';

export interface ClientsSettings extends ChannelLimits {
  /** How many may be connected. */
  maxClients: number;
}

export interface ClientsParts {
  settings: ClientsSettings;
  metrics: Metrics;
  fates: Fates;
  logger: Logger;
  turn: Turn;
  /** The bytes waiting for all of them together. */
  total: ChannelTotal;
}

/** Who is connected: one client for each id, whatever door it came by. */
export class Clients {
  readonly #parts: ClientsParts;
  readonly #clients = new Map<string, Client>();
  readonly #listeners = new Set<(client: Client) => void>();
  readonly #connects: Counter;
  readonly #slowEpisodes: Counter;
  readonly #events: ClientEvents = {
    slow: (client) => this.#becameSlow(client),
    recovered: (client, dropped) => this.#recovered(client, dropped),
    dropped: (client, ...what) => {
      client.losses ??= new Losses(this.#parts.fates, () => client.identity);
      client.losses.add(...what);
    },
  };

  constructor(parts: ClientsParts) {
    this.#parts = parts;
    const { metrics, fates } = parts;
    this.#connects = metrics.counter('clients_connected_total');
    this.#slowEpisodes = metrics.counter('slow_consumer_episodes_total');
    metrics.countedElsewhere(
      'clients_taken_over_total',
      () => fates.counter('disconnected', 'taken-over').value,
    );
    metrics.gauge('clients', () => this.#clients.size);
  }

  get(clientId: string): Client | undefined {
    return this.#clients.get(clientId);
  }

  get count(): number {
    return this.#clients.size;
  }

  all(): Iterable<Client> {
    return this.#clients.values();
  }

  /** Calls `listener` for each client that is let in. Returns what ends that. */
  onConnected(listener: (client: Client) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Lets in a client that was admitted. A client of the same id that is still there is told and loses its connection,
   * unless it is another user's: an id alone takes nothing over.
   *
   * @throws BrokerError `not-authorized`, `too-many-clients`.
   */
  connect(spec: ClientSpec): Client {
    const { identity } = spec.access;
    const { clientId } = identity;
    const { settings, turn, total } = this.#parts;
    const older = this.#clients.get(clientId);
    if (older !== undefined) checkOwner(older.identity.user, identity);
    if (older === undefined && this.#clients.size >= settings.maxClients) {
      throw new BrokerError('too-many-clients', `${settings.maxClients} clients are connected`);
    }
    if (older !== undefined) this.#takeOver(older, identity);
    const client = new Client(spec, settings, turn, this.#events, total);
    this.#clients.set(clientId, client);
    this.#connects.value++;
    for (const listener of this.#listeners) listener(client);
    return client;
  }

  /** Forgets a client whose connection has ended. Idempotent; a takeover has already done it. */
  disconnect(client: Client): void {
    const { clientId } = client.identity;
    if (this.#clients.get(clientId) === client) this.#clients.delete(clientId);
    client.channel.close();
  }

  /** Ends the connection of a client, which is told why. */
  end(clientId: string, reason: BrokerError): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    this.disconnect(client);
    client.disconnect(reason);
  }

  /**
   * Asks again what clients may do, everybody who is connected unless given, after the rules or their groups have changed: whoever may no longer be connected, or
   * has a filter that is no longer allowed, is disconnected with the reason. No protocol of ours could end one
   * subscription alone.
   */
  recheckAccess(clients: Iterable<Client> = [...this.#clients.values()]): void {
    for (const client of clients) {
      const reason = noLongerAllowed(client);
      if (reason === undefined) continue;
      this.disconnect(client);
      client.disconnect(reason);
    }
  }

  #takeOver(older: Client, newer: Identity): void {
    this.disconnect(older);
    older.disconnect(
      new BrokerError('taken-over', `client ${quoted(newer.clientId)} connected again from ${newer.remote}`),
    );
  }

  #becameSlow(client: Client): void {
    this.#slowEpisodes.value++;
    const { channel, identity } = client;
    const { settings, logger } = this.#parts;
    logger.warn(
      {
        code: 'slow-consumer',
        client: nameForLog(identity.clientId),
        door: identity.door,
        remote: identity.remote,
        waitingMessages: channel.waitingMessages,
        waitingBytes: channel.waitingBytes,
        policy: settings.slowConsumer,
      },
      'a subscriber does not take its messages',
    );
    if (settings.slowConsumer !== 'disconnect') return;
    this.disconnect(client);
    client.disconnect(new BrokerError('slow-consumer'));
  }

  #recovered(client: Client, dropped: number): void {
    const { clientId, door, remote } = client.identity;
    this.#parts.logger.info(
      { code: 'slow-consumer', client: nameForLog(clientId), door, remote, dropped },
      'a slow subscriber takes messages again',
    );
  }
}

/** Why a client may not stay as it is, if it may not. */
function noLongerAllowed(client: Client): BrokerError | undefined {
  const { access } = client;
  try {
    access.checkConnect();
    for (const filter of client.filters()) access.checkSubscribe(filter);
    return undefined;
  } catch (error) {
    return error as BrokerError;
  }
}

/**
 * A client id alone takes nothing over that belongs to a user. What an anonymous client left may be taken by anybody.
 *
 * @throws BrokerError `not-authorized`.
 */
export function checkOwner(owner: string | undefined, { user, clientId }: Identity): void {
  if (owner === undefined || owner === user) return;
  throw new BrokerError('not-authorized', `client id ${quoted(clientId)} belongs to another user`);
}
