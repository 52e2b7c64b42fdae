import { chmodSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type ServerOpts } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Certificates, TlsMaterial } from './certificates.ts';
import { type Connection, type ConnectionContext, SocketConnection } from './connection.ts';
import { type Endpoint, endpointUrl, type HostEndpoint, isSecure } from './endpoint.ts';
import { checkSocketPath, removeStaleSocket } from './unix-socket.ts';
import { type WebSocketOptions, WebSocketUpgrader } from './websocket.ts';

export interface ListenerOptions {
  /** Needed where the endpoint speaks TLS. */
  certificates?: Certificates;
  /** The mode of a unix socket's file. */
  socketMode: number;
  /** Connections at once; the runtime closes those beyond. */
  maxConnections: number;
  /** How long a TLS handshake or an HTTP request may take. */
  handshakeTimeoutMs: number;
  lingerMs: number;
  tcpKeepAliveAfterMs: number;
  highWaterMarkBytes: number;
  webSocket: WebSocketOptions;
}

export interface ListenerEvents {
  connection(connection: Connection): void;
  /** A handshake failed, or a connection could not be accepted. The listener goes on. */
  problem(error: Error, remote: string | undefined): void;
}

/** An open listener. */
export interface Listener {
  /** With the real port where port 0 was asked for. */
  readonly url: string;
  /** Stops accepting; connections that are open stay. */
  close(): Promise<void>;
}

/**
 * Listens on an endpoint. `localhost` means all of its addresses, so that a client finds the broker by whichever
 * it tries first.
 *
 * @throws ListenError.
 */
export async function listen(
  endpoint: Endpoint,
  options: ListenerOptions,
  events: ListenerEvents,
): Promise<Listener> {
  const servers: Server[] = [];
  const context: ConnectionContext = { listener: endpointUrl(endpoint), lingerMs: options.lingerMs };
  const make = (): Server => {
    const server = makeServer(endpoint, options, context, events);
    servers.push(server);
    return server;
  };
  try {
    if (endpoint.scheme === 'unix') {
      checkSocketPath(endpoint.path);
      const server = make();
      await removeStaleSocket(endpoint.path);
      await open(server, { path: endpoint.path }, () => chmodSync(endpoint.path, options.socketMode));
    } else {
      context.listener = endpointUrl(endpoint, await openHosts(endpoint, make));
    }
  } catch (error) {
    await closeAll(servers);
    throw new ListenError(context.listener, error as NodeJS.ErrnoException);
  }
  return { url: context.listener, close: () => closeAll(servers) };
}

/** A listener that could not open; the message is one line for people. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly url: string;
  /** The system's code, such as `EADDRINUSE`, where it was the system that refused. */
  readonly code: string | undefined;

  constructor(url: string, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${url}: ${REASONS[cause.code ?? ''] ?? cause.message}`, { cause });
    this.url = url;
    this.code = cause.code;
  }
}

const REASONS: Record<string, string | undefined> = {
  EADDRINUSE: 'the port is taken by another program',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'no such host',
  ENOENT: 'no such folder',
  EINVAL: 'the path is not valid',
};

/** How often another free port is asked for, where one is free on one address of `localhost` and taken on the other. */
const FREE_PORT_ATTEMPTS = 10;

/** Opens a server on every address of the endpoint's host, all with the same port, and returns the port. */
async function openHosts(endpoint: HostEndpoint, make: () => Server): Promise<number> {
  const hosts = hostsOf(endpoint.host);
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    let { port } = endpoint;
    try {
      for (const host of hosts) {
        const server = make();
        const isOpen = await openUnlessAbsent(server, { host, port }, servers.length > 0);
        if (!isOpen) continue;
        servers.push(server);
        port = (server.address() as AddressInfo).port;
      }
      return port;
    } catch (error) {
      const isBadLuck = endpoint.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isBadLuck || attempt === FREE_PORT_ATTEMPTS) throw error;
      await closeAll(servers);
    }
  }
}

function hostsOf(host: string): (string | undefined)[] {
  if (host === '') return [undefined];
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
}

function makeServer(
  endpoint: Endpoint,
  options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
): Server {
  const socketOptions: ServerOpts = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.tcpKeepAliveAfterMs,
    highWaterMark: options.highWaterMarkBytes,
  };
  let server: Server;
  if (endpoint.scheme === 'ws' || endpoint.scheme === 'wss') {
    server = makeHttpServer(endpoint, options, socketOptions, context, events);
  } else if (endpoint.scheme === 'tls') {
    server = makeTlsServer(options, socketOptions, context, events);
  } else {
    server = createTcpServer(socketOptions, (socket) =>
      events.connection(new SocketConnection(socket, context)),
    );
  }
  server.maxConnections = options.maxConnections;
  server.on('drop', (dropped) => {
    events.problem(new Error('too many connections at once'), dropped?.remoteAddress);
  });
  // Before it listens, an error belongs to `open`; afterwards it is one connection that could not be accepted.
  server.on('error', (error) => {
    if (server.listening) events.problem(error, undefined);
  });
  if (isSecure(endpoint)) {
    const secure = server as TlsServer;
    options.certificates!.onChange((material) => secure.setSecureContext(material));
    secure.on('tlsClientError', (error, socket) => {
      events.problem(error, socket.remoteAddress);
      // After a handshake that took too long the runtime only tells; the socket would stay for ever.
      if ((error as NodeJS.ErrnoException).code === 'ERR_TLS_HANDSHAKE_TIMEOUT') socket.destroy();
    });
  }
  return server;
}

function makeTlsServer(
  options: ListenerOptions,
  socketOptions: ServerOpts,
  context: ConnectionContext,
  events: ListenerEvents,
): TlsServer {
  const tlsOptions = {
    ...socketOptions,
    ...materialOf(options),
    handshakeTimeout: options.handshakeTimeoutMs,
  };
  return createTlsServer(tlsOptions, (socket) => events.connection(new SocketConnection(socket, context)));
}

function makeHttpServer(
  endpoint: Endpoint,
  options: ListenerOptions,
  socketOptions: ServerOpts,
  context: ConnectionContext,
  events: ListenerEvents,
): HttpServer {
  const upgrader = new WebSocketUpgrader(options.webSocket);
  const httpOptions = {
    ...socketOptions,
    headersTimeout: options.handshakeTimeoutMs,
    requestTimeout: options.handshakeTimeoutMs,
    // How often the runtime looks at these two; 30 seconds unless told.
    connectionsCheckingInterval: options.handshakeTimeoutMs,
  };
  const server = isSecure(endpoint)
    ? createHttpsServer({
        ...httpOptions,
        ...materialOf(options),
        handshakeTimeout: options.handshakeTimeoutMs,
      })
    : createHttpServer(httpOptions);
  server.on('request', (_request, response) => {
    response.writeHead(426, {
      'Content-Type': 'text/plain; charset=utf-8',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
    });
    response.end('This port speaks WebSocket.\n');
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error: Error) => events.problem(error, request.socket.remoteAddress));
    upgrader.upgrade(request, socket, head, context, events.connection);
  });
  return server;
}

function materialOf(options: ListenerOptions): TlsMaterial {
  if (options.certificates === undefined) throw new Error('it needs -tls-cert and -tls-key');
  return options.certificates.material;
}

interface Address {
  host?: string;
  port?: number;
  path?: string;
}

/** A machine without IPv6 has no `::1`; the other address of `localhost` is then enough. */
async function openUnlessAbsent(server: Server, address: Address, mayBeAbsent: boolean): Promise<boolean> {
  try {
    await open(server, address);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (mayBeAbsent && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return false;
    throw error;
  }
}

/** @param onBound runs before the first connection can be accepted. */
function open(server: Server, address: Address, onBound?: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...address, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
    if (onBound !== undefined && server.listening) onBound();
  });
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          // The callback waits for open connections, which are not the listener's; it is closed at once.
          server.close();
          resolve();
        }),
    ),
  );
}
