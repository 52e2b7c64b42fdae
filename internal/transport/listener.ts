import { chmodSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Server, type ServerOpts } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { type ConnectionContext, SocketConnection } from './connection.ts';
import { type Endpoint, endpointUrl, type HostEndpoint, isSecure } from './endpoint.ts';
import type { ListenerEvents, ListenerOptions } from './listener-options.ts';
import { checkSocketPath, removeStaleSocket } from './unix-socket.ts';

export type { ListenerEvents, ListenerOptions } from './listener-options.ts';

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
  const kind = await kindOf(endpoint);
  const make = (): Server => {
    const server = watched(
      kind(socketOptionsOf(options), options, context, events),
      endpoint,
      options,
      events,
    );
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

/** Makes a server that does not listen yet. */
type Kind = (
  socketOptions: ServerOpts,
  options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
) => Server;

/** What TLS, HTTP and WebSocket need is loaded only for who listens so: it takes a fifth of a small broker's memory. */
async function kindOf(endpoint: Endpoint): Promise<Kind> {
  if (endpoint.scheme === 'ws' || endpoint.scheme === 'wss') {
    const { makeWebSocketServer } = await import('./websocket-server.ts');
    return (...parts) => makeWebSocketServer(endpoint, ...parts);
  }
  if (endpoint.scheme === 'tls') return (await import('./tls-server.ts')).makeTlsServer;
  return makePlainServer;
}

function makePlainServer(
  socketOptions: ServerOpts,
  _options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
): Server {
  return createTcpServer(socketOptions, (socket) => events.connection(new SocketConnection(socket, context)));
}

function socketOptionsOf(options: ListenerOptions): ServerOpts {
  return {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.tcpKeepAliveAfterMs,
    highWaterMark: options.highWaterMarkBytes,
  };
}

/** Bounds and counts a server's connections, and tells of those that could not be accepted. */
function watched(
  server: Server,
  endpoint: Endpoint,
  options: ListenerOptions,
  events: ListenerEvents,
): Server {
  server.maxConnections = options.maxConnections;
  options.traffic?.watch(server);
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

/**
 * Connections that wait to be accepted: as many as the system allows (Linux has the last word with `net.core.somaxconn`).
 * A burst that overflows the queue costs its clients seconds of repeated SYNs, and resets those whose handshake the
 * system gives up on.
 */
const BACKLOG = 65_535;

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
    server.listen({ ...address, backlog: BACKLOG }, () => {
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
