import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import type { BrokerError } from '../errors.ts';
import { Channel, type ChannelEvents, type ChannelLimits, type Sink } from './delivery/channel.ts';
import type { ChannelTotal } from './delivery/channel-total.ts';
import type { ClientOrigin } from './delivery/origin.ts';
import type { Encoding, Message } from './delivery/publication.ts';
import type { Turn } from './delivery/turn.ts';
import type { Losses } from './losses.ts';

/** The connection of a client, as the broker uses it. */
export interface ClientHost extends Sink {
  /** The filters that stand for the client: of its session, and of its replays. */
  standingFilters(): Iterable<string>;
  /** Ends the connection and tells the client why. The broker has already let go of the client. */
  refuse(reason: BrokerError): void;
}

/** A door's part of a client that wants to connect. */
export interface ClientSpec {
  /** The admitted identity and its permissions. */
  access: Access;
  /** How the client wants its messages. */
  encoding: Encoding;
  host: ClientHost;
}

/** Events of the channels of clients; see {@link ChannelEvents}. */
export interface ClientEvents {
  slow(client: Client): void;
  recovered(client: Client, dropped: number): void;
  dropped(client: Client, count: number, bytes: number, messages: () => readonly Message[]): void;
}

/** A connected client, as the broker knows it. Made by {@link Clients.connect}. */
export class Client implements ChannelEvents {
  readonly access: Access;
  /** Of what it publishes. */
  readonly origin: ClientOrigin;
  readonly channel: Channel;
  /** What it lost by being slow; most clients lose nothing. */
  losses: Losses | undefined;
  readonly #host: ClientHost;
  readonly #events: ClientEvents;

  constructor(
    { access, encoding, host }: ClientSpec,
    limits: ChannelLimits,
    turn: Turn,
    events: ClientEvents,
    total: ChannelTotal,
  ) {
    this.access = access;
    this.origin = { kind: 'client', clientId: access.identity.clientId };
    this.#host = host;
    this.#events = events;
    this.channel = new Channel(encoding, host, limits, turn, this, total);
  }

  get clientId(): string {
    return this.identity.clientId;
  }

  get identity(): Identity {
    return this.access.identity;
  }

  /** Every filter that it has, wherever it is kept. */
  filters(): Iterable<string> {
    return this.#host.standingFilters();
  }

  disconnect(reason: BrokerError): void {
    this.#host.refuse(reason);
  }

  mostWaitingBytes(): number {
    return this.access.most('queuedBytes', Number.POSITIVE_INFINITY);
  }

  slow(): void {
    this.#events.slow(this);
  }

  recovered(dropped: number): void {
    this.#events.recovered(this, dropped);
  }

  dropped(count: number, bytes: number, messages: () => readonly Message[]): void {
    this.#events.dropped(this, count, bytes, messages);
  }
}
