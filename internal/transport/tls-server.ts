import type { ServerOpts } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { type ConnectionContext, SocketConnection } from './connection.ts';
import { type ListenerEvents, type ListenerOptions, materialOf } from './listener-options.ts';

/** A server whose connections speak TLS. @throws Error where the options name no certificate. */
export function makeTlsServer(
  socketOptions: ServerOpts,
  options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
): Server {
  const tlsOptions = {
    ...socketOptions,
    ...materialOf(options),
    handshakeTimeout: options.handshakeTimeoutMs,
  };
  return createServer(tlsOptions, (socket) => events.connection(new SocketConnection(socket, context)));
}
