import type { Identity } from '../auth/guard.ts';
import type { BrokerError } from '../errors.ts';
import { Channel, type ChannelEvents, type ChannelLimits, type Sink, type Source } from './channel.ts';
import type { Encoding } from './publication.ts';
import type { Turn } from './turn.ts';

/** What a door brings along for a client that wants to connect. */
export interface ClientSpec {
  identity: Identity;
  /** How the client wants its messages. */
  encoding: Encoding;
  /** Where its messages go. */
  sink: Sink;
  /** Its connection, which can be asked to stop reading. */
  source: Source;
  /** Ends the connection and tells the client why. The broker has already let go of the client. */
  disconnect(reason: BrokerError): void;
}

/** What the broker learns from the channels of its clients; see {@link ChannelEvents}. */
export interface ClientEvents {
  slow(client: Client): void;
  recovered(client: Client, dropped: number): void;
  dropped(count: number): void;
}

const NO_FILTERS: ReadonlySet<string> = new Set();

/** A connected client, as the broker knows it. Made by {@link Broker.connect}. */
export class Client implements ChannelEvents {
  readonly identity: Identity;
  readonly channel: Channel;
  readonly source: Source;
  readonly #spec: ClientSpec;
  readonly #events: ClientEvents;
  #filters: Set<string> | undefined;

  constructor(spec: ClientSpec, limits: ChannelLimits, turn: Turn, events: ClientEvents) {
    this.identity = spec.identity;
    this.source = spec.source;
    this.#spec = spec;
    this.#events = events;
    this.channel = new Channel(spec.encoding, spec.sink, limits, turn, this);
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
