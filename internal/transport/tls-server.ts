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
  const { applicationProtocol } = options;
  const tlsOptions = {
    ...socketOptions,
    ...materialOf(options),
    handshakeTimeout: options.handshakeTimeoutMs,
    ...(applicationProtocol !== undefined && { ALPNProtocols: [applicationProtocol] }),
  };
  return createServer(tlsOptions, (socket) => {
    if (applicationProtocol === undefined || socket.alpnProtocol === applicationProtocol) {
      events.connection(new SocketConnection(socket, context));
      return;
    }
    // A client that settles on nothing would talk past us.
    const reason = `the client does not ask for ${applicationProtocol} in its TLS handshake (ALPN)`;
    events.problem(new Error(reason), socket.remoteAddress, 'handshake');
    socket.destroy();
  });
}
