import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import type { Certificates, TlsMaterial } from './certificates.ts';
import type { Connection } from './connection.ts';
import type { Traffic } from './traffic.ts';
import type { WebSocketOptions } from './websocket.ts';

export interface ListenerOptions {
  /** The time that connections go by. Default: the machine's. */
  clock?: Clock;
  /** Needed where the endpoint speaks TLS. */
  certificates?: Certificates;
  /** What a client has to settle on in its TLS handshake (ALPN, RFC 7301). Default: it need not settle on anything. */
  applicationProtocol?: string;
  /** The mode of a unix socket's file. */
  socketMode: number;
  /** Connections at once; the runtime closes those beyond. */
  maxConnections: number;
  /** How long a TLS handshake or an HTTP request may take. */
  handshakeTimeoutMs: number;
  /** How long a request of HTTP may take to arrive as a whole, where the listener speaks it. Default: as a handshake. */
  requestTimeoutMs?: number;
  lingerMs: number;
  tcpKeepAliveAfterMs: number;
  highWaterMarkBytes: number;
  webSocket: WebSocketOptions;
  /** Counts what goes over the listener's sockets. */
  traffic?: Traffic;
}

/** What a connection failed in: its being accepted, its TLS handshake, or a request of HTTP. */
export type ProblemPhase = 'accept' | 'handshake' | 'request';

export interface ListenerEvents {
  connection(connection: Connection): void;
  /** Where the listener is to speak HTTP: called with each request, and {@link connection} never. */
  request?(request: IncomingMessage, response: ServerResponse): void;
  /** A handshake failed, or a connection could not be accepted. The listener goes on. */
  problem(error: Error, remote: string | undefined, during: ProblemPhase): void;
}

/** @throws Error where the options name no certificate. */
export function materialOf(options: Pick<ListenerOptions, 'certificates'>): TlsMaterial {
  if (options.certificates === undefined) throw new Error('it needs -tls-cert and -tls-key');
  return options.certificates.material;
}
