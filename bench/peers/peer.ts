import type { Transport } from '../cases.ts';

/** Where a peer listens. */
export type Address =
  | { transport: 'tcp'; port: number }
  | { transport: 'tls'; port: number; caFile: string }
  | { transport: 'unix'; path: string };

/** How a peer is to be started. */
export interface StartRequest {
  address: Address;
  certificates: Certificates | undefined;
  /** A folder for this start only; it is removed afterwards. */
  folder: string;
}

/** PEM files of a certificate for 127.0.0.1. */
export interface Certificates {
  certFile: string;
  keyFile: string;
  /** The certificate of who signed it. */
  caFile: string;
}

export interface Command {
  program: string;
  args: readonly string[];
  environment?: Readonly<Record<string, string>>;
}

/** A message as a subscriber gets it. */
export interface Delivery {
  /** The size on the wire, in bytes. */
  bytes: number;
  /** Where in it the payload begins. */
  payloadOffset: number;
}

/**
 * A protocol, as far as a load generator needs it: what to write, and how long what comes back is. Topics and
 * filters are given in MQTT's notation.
 */
export interface Wire {
  connect(clientId: string): Uint8Array;
  /** @param id the subscription's number on its connection; all of a case have as many digits. */
  subscribe(filter: string, id: number): Uint8Array;
  unsubscribe(filter: string, id: number): Uint8Array;
  /** Asks for an answer that comes after the answers to everything before. */
  ping(clientId: string): Uint8Array;
  /** That answer: the last bytes of what arrives. */
  pong(clientId: string): Uint8Array;
  publish(topic: string, payload: Uint8Array, clientId: string): Uint8Array;
  delivery(topic: string, payloadBytes: number, publisherId: string, subscriptionId: number): Delivery;
  /** The server speaks first, in plain text, before TLS begins. */
  greetsBeforeTls: boolean;
  /** What the server asks on its own some time after CONNECT, once, and what to answer. */
  lateQuestion?: { question: Uint8Array; answer: Uint8Array };
}

/** Something to compare with. */
export interface Peer {
  name: string;
  transports: readonly Transport[];
  /** Why it cannot be run on this machine, or undefined where it can. */
  problem(): string | undefined;
  command(request: StartRequest): Command;
  wire: Wire;
}
