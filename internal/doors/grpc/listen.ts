import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Certificates } from '../../transport/certificates.ts';
import { ListenError } from '../../transport/listener.ts';

export interface GrpcListenOptions {
  host: string;
  port: number;
  /** Makes it TLS. */
  certificates: Certificates | undefined;
  maxConnections: number;
  handshakeTimeoutMs: number;
  tcpKeepAliveAfterMs: number;
}

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
  options: GrpcListenOptions,
  events: GrpcListenEvents,
): Promise<GrpcListener> {
  const scheme = options.certificates === undefined ? 'grpc' : 'grpcs';
  const shownHost = options.host.includes(':') ? `[${options.host}]` : options.host;
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    let { port } = options;
    try {
      for (const host of hostsOf(options.host)) {
        const server = makeServer(options, events);
        const isOpen = await openUnlessAbsent(server, host, port, servers.length > 0);
        if (!isOpen) continue;
        servers.push(server);
        port = (server.address() as AddressInfo).port;
      }
      return { url: `${scheme}://${shownHost}:${port}`, close: () => closeAll(servers) };
    } catch (error) {
      closeAll(servers);
      const isBadLuck = options.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (isBadLuck && attempt < FREE_PORT_ATTEMPTS) continue;
      throw new ListenError(`${scheme}://${shownHost}:${port}`, error as NodeJS.ErrnoException);
    }
  }
}

/** How often another free port is asked for, where one is free on one address of `localhost` and taken on the other. */
const FREE_PORT_ATTEMPTS = 10;

function hostsOf(host: string): (string | undefined)[] {
  if (host === '') return [undefined];
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
}

function makeServer(options: GrpcListenOptions, events: GrpcListenEvents): Server {
  const socketOptions = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.tcpKeepAliveAfterMs,
  };
  const { certificates } = options;
  const server =
    certificates === undefined
      ? createTcpServer(socketOptions, (socket) => events.connection(socket))
      : makeTlsServer(certificates, options, socketOptions, events);
  server.maxConnections = options.maxConnections;
  server.on('drop', (dropped) => {
    events.problem(new Error('too many connections at once'), dropped?.remoteAddress);
  });
  // Before it listens, an error belongs to `open`; afterwards it is one connection that could not be accepted.
  server.on('error', (error) => {
    if (server.listening) events.problem(error, undefined);
  });
  return server;
}

function makeTlsServer(
  certificates: Certificates,
  options: GrpcListenOptions,
  socketOptions: object,
  events: GrpcListenEvents,
): Server {
  const server = createTlsServer(
    {
      ...socketOptions,
      ...certificates.material,
      ALPNProtocols: ['h2'],
      handshakeTimeout: options.handshakeTimeoutMs,
    },
    (socket) => {
      // A client that settles on no protocol would talk past us.
      if (socket.alpnProtocol === 'h2') events.connection(socket);
      else socket.destroy();
    },
  );
  certificates.onChange((material) => server.setSecureContext(material));
  server.on('tlsClientError', (error, socket) => {
    events.problem(error, socket.remoteAddress);
    // After a handshake that took too long the runtime only tells; the socket would stay for ever.
    if ((error as NodeJS.ErrnoException).code === 'ERR_TLS_HANDSHAKE_TIMEOUT') socket.destroy();
  });
  return server;
}

/** A machine without IPv6 has no `::1`; the other address of `localhost` is then enough. */
async function openUnlessAbsent(
  server: Server,
  host: string | undefined,
  port: number,
  mayBeAbsent: boolean,
): Promise<boolean> {
  try {
    await open(server, host, port);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (mayBeAbsent && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return false;
    throw error;
  }
}

function open(server: Server, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closeAll(servers: readonly Server[]): void {
  for (const server of servers) server.close();
}
