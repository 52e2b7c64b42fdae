import type { Identity } from '../auth/guard.ts';
import type { BrokerError } from '../errors.ts';
import type { Channel, Sink, Source } from './channel.ts';
import type { Encoding } from './publication.ts';

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

/** A connected client, as the broker knows it. Made by {@link Broker.connect}. */
export interface Client {
  readonly identity: Identity;
  readonly channel: Channel;
  readonly source: Source;
  /** The filters it subscribed to, as it wrote them. */
  readonly filters: Set<string>;
  disconnect(reason: BrokerError): void;
}
