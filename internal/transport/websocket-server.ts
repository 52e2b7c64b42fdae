import type { Server } from 'node:http';
import type { ServerOpts } from 'node:net';
import type { ConnectionContext } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { createServerOf } from './http-server.ts';
import type { ListenerEvents, ListenerOptions } from './listener-options.ts';
import { WebSocketUpgrader } from './websocket.ts';

/** An HTTP server that turns every connection into a WebSocket. @throws Error where it needs a certificate and has none. */
export function makeWebSocketServer(
  endpoint: Endpoint,
  socketOptions: ServerOpts,
  options: ListenerOptions,
  context: ConnectionContext,
  events: ListenerEvents,
): Server {
  const upgrader = new WebSocketUpgrader(options.webSocket);
  const server = createServerOf(endpoint, options, socketOptions);
  server.on('request', (_request, response) => {
    response.writeHead(426, {
      'Content-Type': 'text/plain; charset=utf-8',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
    });
    response.end('This port speaks WebSocket.\n');
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error: Error) => events.problem(error, request.socket.remoteAddress, 'request'));
    upgrader.upgrade(request, socket, head, context, events.connection);
  });
  return server;
}
