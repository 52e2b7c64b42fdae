import type { Server, ServerOpts, Socket } from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Certificates } from './certificates.ts';
import { type Endpoint, isSecure } from './endpoint.ts';
import type { ListenerEvents, ListenerOptions } from './listener-options.ts';

/** How the runtime is to make the sockets of a server. */
export function socketOptionsOf(options: Pick<ListenerOptions, 'tcpKeepAliveAfterMs'>): ServerOpts {
  return { noDelay: true, keepAlive: true, keepAliveInitialDelay: options.tcpKeepAliveAfterMs };
}

/**
 * Bounds and counts a server's connections, tells of those that could not be accepted, and has it show each new
 * certificate.
 */
export function watchServer(
  server: Server,
  endpoint: Endpoint,
  options: Pick<ListenerOptions, 'certificates' | 'maxConnections' | 'traffic'>,
  events: Pick<ListenerEvents, 'problem'>,
): void {
  server.maxConnections = options.maxConnections;
  options.traffic?.watch(server);
  server.on('drop', (dropped) =>
    events.problem(new Error('too many connections at once'), dropped?.remoteAddress, 'accept'),
  );
  // Before it listens, an error belongs to who opens it; afterwards it is one connection that could not be accepted.
  server.on('error', (error) => {
    if (server.listening) events.problem(error, undefined, 'accept');
  });
  if (isSecure(endpoint)) watchHandshakes(server as TlsServer, options.certificates!, events);
}

/** A client whose certificate is not accepted is cut off by the runtime, which then tells of a socket that hung up. */
function clientCertificateProblem(socket: TLSSocket): Error | undefined {
  // A code of OpenSSL, where the types promise an error.
  const code = socket.authorizationError as unknown;
  if (typeof code !== 'string') return undefined;
  return new Error(
    code === 'CERT_HAS_EXPIRED'
      ? 'the certificate of the client has expired'
      : `the certificate of the client is not signed by the CA of -tls-ca (${code})`,
  );
}

function watchHandshakes(
  server: TlsServer,
  certificates: Certificates,
  events: Pick<ListenerEvents, 'problem'>,
): void {
  certificates.onChange((material) => server.setSecureContext(material));
  const remotes = new WeakMap<Socket, string | undefined>();
  server.on('connection', (socket) => remotes.set(socket, socket.remoteAddress));
  server.on('tlsClientError', (error, socket) => {
    // The runtime closes a socket before it tells that the certificate was refused; its address is then gone.
    const { _parent: carrier } = socket as TLSSocket & { _parent?: Socket };
    const remote = socket.remoteAddress ?? (carrier && remotes.get(carrier));
    events.problem(clientCertificateProblem(socket) ?? error, remote, 'handshake');
    // After a handshake that took too long the runtime only tells; the socket would stay for ever.
    if ((error as NodeJS.ErrnoException).code === 'ERR_TLS_HANDSHAKE_TIMEOUT') socket.destroy();
  });
}
