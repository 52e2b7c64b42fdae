import { createServer as createHttpServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { ServerOpts, Socket } from 'node:net';
import type { ConnectionContext } from './connection.ts';
import { type Endpoint, isSecure } from './endpoint.ts';
import { type ListenerEvents, type ListenerOptions, materialOf } from './listener-options.ts';

/** A server that hands out requests of HTTP/1.1. @throws Error where it needs a certificate and has none. */
export function makeHttpServer(
  endpoint: Endpoint,
  socketOptions: ServerOpts,
  options: ListenerOptions,
  _context: ConnectionContext,
  events: ListenerEvents,
): Server {
  const server = createServerOf(endpoint, options, {
    ...socketOptions,
    // The runtime ends a request whose client has gone.
    allowHalfOpen: false,
    requestTimeout: options.requestTimeoutMs ?? options.handshakeTimeoutMs,
  });
  server.on('request', (request, response) => events.request?.(request, response));
  const open = new WeakSet<object>();
  server.on(isSecure(endpoint) ? 'secureConnection' : 'connection', (socket: Socket) => open.add(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const remote = 'remoteAddress' in socket ? (socket.remoteAddress as string | undefined) : undefined;
    // Of a handshake that failed the runtime tells here too.
    if (open.has(socket)) events.problem(error, remote, 'request');
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    else socket.destroy();
  });
  return server;
}

const CLIENT_ERRORS: Record<string, string | undefined> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** A server of HTTP/1.1, with TLS where the endpoint asks for it. */
export function createServerOf(
  endpoint: Endpoint,
  options: ListenerOptions,
  httpOptions: ServerOptions & ServerOpts,
): Server {
  const { handshakeTimeoutMs } = options;
  const bounded = {
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    // How often the runtime looks at these two; 30 seconds unless told.
    connectionsCheckingInterval: handshakeTimeoutMs,
    ...httpOptions,
  };
  return isSecure(endpoint)
    ? createHttpsServer({ ...bounded, ...materialOf(options), handshakeTimeout: handshakeTimeoutMs })
    : createHttpServer(bounded);
}
