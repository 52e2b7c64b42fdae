import { chmodSync } from 'node:fs';
import { createServer as createTcpServer, type Server, type ServerOpts } from 'node:net';
import { systemClock } from '../lib/clock.ts';
import { systemReason } from '../lib/system-reason.ts';
import { type ConnectionContext, SocketConnection } from './connection.ts';
import { type Endpoint, endpointUrl } from './endpoint.ts';
import type { ListenerEvents, ListenerOptions } from './listener-options.ts';
import { closeServers, openHosts, openServer, stopAccepting } from './open-servers.ts';
import { socketOptionsOf, watchServer } from './server-sockets.ts';
import { checkSocketPath, removeStaleSocket } from './unix-socket.ts';

export type { ListenerEvents, ListenerOptions } from './listener-options.ts';

/** An open listener. */
export interface Listener {
  /** With the real port where port 0 was asked for. */
  readonly url: string;
  /** Whether it accepts whoever comes. */
  isOpen(): boolean;
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
  const { clock = systemClock, lingerMs } = options;
  const context: ConnectionContext = { listener: endpointUrl(endpoint), clock, lingerMs };
  const kind = await kindOf(endpoint, events);
  // Requests that are being answered belong to whoever answers them.
  const close = events.request === undefined ? closeServers : stopAccepting;
  const make = (): Server => {
    const socketOptions = {
      ...socketOptionsOf(options),
      highWaterMark: options.highWaterMarkBytes,
      // A peer that ends may still wait for answers, and what it sent may still wait for its turn.
      allowHalfOpen: true,
    };
    const server = kind(socketOptions, options, context, events);
    watchServer(server, endpoint, options, events);
    return server;
  };
  try {
    if (endpoint.scheme === 'unix') {
      const server = await openSocketFile(endpoint.path, options.socketMode, make);
      return listenerOf(context.listener, [server], close);
    }
    const { servers, port } = await openHosts(endpoint, make);
    context.listener = endpointUrl(endpoint, port);
    return listenerOf(context.listener, servers, close);
  } catch (error) {
    throw new ListenError(context.listener, error as NodeJS.ErrnoException);
  }
}

function listenerOf(url: string, servers: readonly Server[], close: typeof closeServers): Listener {
  const isOpen = () => servers.every(({ listening }) => listening);
  return { url, isOpen, close: async () => close(servers) };
}

/**
 * Opens a server on the file of a unix socket; one that a dead program left behind is replaced.
 *
 * @param mode of the file, which it has before anybody can connect.
 * @throws Error with a sentence, or of the system.
 */
export async function openSocketFile(path: string, mode: number, make: () => Server): Promise<Server> {
  checkSocketPath(path);
  const server = make();
  try {
    await removeStaleSocket(path);
    await openServer(server, { path }, () => chmodSync(path, mode));
    return server;
  } catch (error) {
    closeServers([server]);
    throw error;
  }
}

/** A listener that could not open; the message is one line for people. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly url: string;
  /** The system's code, such as `EADDRINUSE`, where it was the system that refused. */
  readonly code: string | undefined;

  constructor(url: string, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${url}: ${REASONS[cause.code ?? ''] ?? systemReason(cause)}`, { cause });
    this.url = url;
    this.code = cause.code;
  }
}

const REASONS: Record<string, string | undefined> = {
  EADDRINUSE: 'the port is taken by another program',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'no such host',
  ENOENT: 'no such folder',
  EINVAL: 'the path is not valid',
};

/** Makes a server that does not listen yet. */
type Kind = (
  socketOptions: ServerOpts,
  options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
) => Server;

/** What TLS, HTTP and WebSocket need is loaded only for who listens so: it takes a fifth of a small broker's memory. */
async function kindOf(endpoint: Endpoint, events: ListenerEvents): Promise<Kind> {
  if (events.request !== undefined) {
    const { makeHttpServer } = await import('./http-server.ts');
    return (...parts) => makeHttpServer(endpoint, ...parts);
  }
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
