import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type HostEndpoint, hostAndPort, isSecure } from '../../transport/endpoint.ts';
import { ListenError } from '../../transport/listener.ts';
import { type ListenerOptions, materialOf } from '../../transport/listener-options.ts';
import { closeServers, openHosts } from '../../transport/open-servers.ts';
import { socketOptionsOf, watchServer } from '../../transport/server-sockets.ts';

export type GrpcListenOptions = Pick<
  ListenerOptions,
  'certificates' | 'maxConnections' | 'handshakeTimeoutMs' | 'tcpKeepAliveAfterMs' | 'traffic'
>;

export interface GrpcListenEvents {
  /** A connection, for which a TLS handshake has settled on HTTP/2. */
  connection(socket: Socket | TLSSocket): void;
  problem(error: Error, remote: string | undefined): void;
}

/** Listeners that are open, as one. */
export interface GrpcListener {
  /** `grpc://` or `grpcs://`, with the real port. */
  readonly url: string;
  /** Stops accepting; connections that are open stay. */
  close(): void;
}

/**
 * Listens for HTTP/2, which is handed on as sockets: the runtime's own HTTP/2 server would not show them, and what has
 * not spoken HTTP/2 yet has to be closed as a socket. `localhost` means all of its addresses.
 *
 * @throws ListenError.
 */
export async function listenForGrpc(
  endpoint: HostEndpoint,
  options: GrpcListenOptions,
  events: GrpcListenEvents,
): Promise<GrpcListener> {
  const scheme = isSecure(endpoint) ? 'grpcs' : 'grpc';
  const urlWith = (port: number) => `${scheme}://${hostAndPort(endpoint.host, port)}`;
  try {
    const { servers, port } = await openHosts(endpoint, () => makeServer(endpoint, options, events));
    return { url: urlWith(port), close: () => closeServers(servers) };
  } catch (error) {
    throw new ListenError(urlWith(endpoint.port), error as NodeJS.ErrnoException);
  }
}

function makeServer(endpoint: HostEndpoint, options: GrpcListenOptions, events: GrpcListenEvents): Server {
  const server = isSecure(endpoint)
    ? makeTlsServer(options, events)
    : createTcpServer(socketOptionsOf(options), (socket) => events.connection(socket));
  watchServer(server, endpoint, options, events);
  return server;
}

/** @throws Error where the options name no certificate. */
function makeTlsServer(options: GrpcListenOptions, events: GrpcListenEvents): Server {
  const tlsOptions = {
    ...socketOptionsOf(options),
    ...materialOf(options),
    ALPNProtocols: ['h2'],
    handshakeTimeout: options.handshakeTimeoutMs,
  };
  return createTlsServer(tlsOptions, (socket) => {
    // A client that settles on no protocol would talk past us.
    if (socket.alpnProtocol === 'h2') events.connection(socket);
    else socket.destroy();
  });
}
