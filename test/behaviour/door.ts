import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';

/** A protocol, as far as the behaviour suite has to know it. */
export interface DoorUnderTest {
  readonly name: string;
  /** Whether a message says who published it. */
  readonly namesSenders: boolean;
  /** What a client may ask and the answer to it, byte for byte, in hexadecimal. The first one is CONNECT. */
  readonly conversation: readonly Exchange[];
  /** A connection without CONNECT. */
  open(url: string, tls: ConnectionOptions | undefined): Promise<Duplex>;
  connect(url: string, clientId: string, tls: ConnectionOptions | undefined): Promise<DoorClient>;
  encodePublish(topic: string, payload: string, sender: string): Uint8Array;
  /** Publishes so many messages to `library/N` with the usual library of this protocol; what it received, in order. */
  library(
    url: string,
    tls: ConnectionOptions | undefined,
    count: number,
  ): Promise<readonly { topic: string; text: string }[]>;
}

export interface Exchange {
  what: string;
  send: string;
  answer: string;
}

/** What a client does that it may not. */
export interface Offence {
  kind: 'publish' | 'subscribe' | 'connect';
  /** A topic or a filter. */
  name: string;
}

export interface Received {
  topic: string;
  payload: Uint8Array;
  /** Who published it; undefined where the protocol does not say. */
  sender: string | undefined;
}

/** A client that the broker has let in. */
export interface DoorClient {
  readonly stream: Duplex;
  subscribe(...filters: string[]): Promise<void>;
  unsubscribe(filter: string): Promise<void>;
  publish(topic: string, payload: string | Uint8Array): void;
  /** After this everything that was sent before has been handled by the broker. */
  ping(): Promise<void>;
  messages(count: number): Promise<readonly Received[]>;
  /** Nothing came up to now. */
  expectSilence(): Promise<void>;
  /** The broker ends the connection, and says why as far as the protocol has words for it. */
  expectEnd(reason: RegExp): Promise<void>;
  /** Does what it may not; the broker says so in the way of the protocol. */
  offend(offence: Offence, reason: RegExp): Promise<void>;
}
