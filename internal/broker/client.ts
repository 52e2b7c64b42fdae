import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import type { BrokerError } from '../errors.ts';
import {
  Channel,
  type ChannelEvents,
  type ChannelLimits,
  type Sink,
  type Source,
} from './delivery/channel.ts';
import type { ChannelTotal } from './delivery/channel-total.ts';
import type { Encoding } from './delivery/publication.ts';
import type { Turn } from './delivery/turn.ts';

/** A door's part of a client that wants to connect. */
export interface ClientSpec {
  /** The admitted identity and its permissions. */
  access: Access;
  /** How the client wants its messages. */
  encoding: Encoding;
  /** Where its messages go. */
  sink: Sink;
  /** Its connection, which can be asked to stop reading. */
  source: Source;
  /** The filters that stand for the client outside the broker's own list: of its session, and of replays. */
  standingFilters(): Iterable<string>;
  /** Ends the connection and tells the client why. The broker has already let go of the client. */
  disconnect(reason: BrokerError): void;
}

/** Events of the channels of clients; see {@link ChannelEvents}. */
export interface ClientEvents {
  slow(client: Client): void;
  recovered(client: Client, dropped: number): void;
  dropped(count: number): void;
}

const NO_FILTERS: ReadonlySet<string> = new Set();

/** A connected client, as the broker knows it. Made by {@link Broker.connect}. */
export class Client implements ChannelEvents {
  readonly access: Access;
  readonly channel: Channel;
  readonly source: Source;
  readonly #spec: ClientSpec;
  readonly #events: ClientEvents;
  #filters: Set<string> | undefined;

  constructor(
    spec: ClientSpec,
    limits: ChannelLimits,
    turn: Turn,
    events: ClientEvents,
    total: ChannelTotal,
  ) {
    this.access = spec.access;
    this.source = spec.source;
    this.#spec = spec;
    this.#events = events;
    this.channel = new Channel(spec.encoding, spec.sink, limits, turn, this, total);
  }

  get identity(): Identity {
    return this.access.identity;
  }

  /** The filters it subscribed to, as it wrote them. */
  get filters(): ReadonlySet<string> {
    return this.#filters ?? NO_FILTERS;
  }

  addFilter(filter: string): void {
    this.#filters ??= new Set();
    this.#filters.add(filter);
  }

  /** False where it was not there. */
  removeFilter(filter: string): boolean {
    return this.#filters?.delete(filter) === true;
  }

  /** Every filter that the client has, wherever it is kept. */
  *allFilters(): Iterable<string> {
    yield* this.filters;
    yield* this.#spec.standingFilters();
  }

  disconnect(reason: BrokerError): void {
    this.#spec.disconnect(reason);
  }

  slow(): void {
    this.#events.slow(this);
  }

  recovered(dropped: number): void {
    this.#events.recovered(this, dropped);
  }

  dropped(count: number): void {
    this.#events.dropped(count);
  }
}
