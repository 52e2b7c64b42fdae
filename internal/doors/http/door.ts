import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ClockTimer } from '../../lib/clock.ts';
import { httpReadyAfterMs, httpRequestTimeoutMs } from '../../limits/http.ts';
import type { Connection } from '../../transport/connection.ts';
import type { Endpoint } from '../../transport/endpoint.ts';
import { ListenError, type Listener, listen } from '../../transport/listener.ts';
import type { ListenerEvents, ListenerOptions } from '../../transport/listener-options.ts';
import type { Door, DoorParts } from '../door.ts';
import { type Api, makeApi } from './api.ts';
import { BrowserGuard } from './browser-guard.ts';
import { accessOf } from './caller.ts';
import type { HttpContext } from './context.ts';
import { EventStreams } from './event-streams.ts';
import { HttpSocket } from './http-socket.ts';
import { Logins } from './logins.ts';
import type { HttpOptions } from './options.ts';

/** The HTTP door: messages, health and metrics for browsers, curl and Prometheus (docs/http.md). */
export class HttpDoor implements Door {
  readonly name = 'http';
  readonly #parts: DoorParts;
  readonly #context: HttpContext;
  readonly #sockets = new Map<Socket, HttpSocket>();
  #answering = 0;
  #api: Promise<Api> | undefined;
  #readyTimer: ClockTimer | undefined;
  #isClosing = false;
  #allAnswered: (() => void) | undefined;

  constructor(parts: DoorParts, options: HttpOptions) {
    this.#parts = parts;
    const fates = parts.broker.fates.logging(parts.logger);
    const socketOf = ({ socket }: IncomingMessage) => this.#sockets.get(socket)!;
    const { hosts = [], origins = [] } = options;
    const guard = new BrowserGuard(hosts, origins);
    const logins = new Logins(parts.admission, parts.clock);
    const callers = { admission: parts.admission, guard, logins };
    this.#context = {
      ...{ parts, guard, logins },
      fates,
      streams: new EventStreams(parts, fates),
      socketOf,
      accessOf: (request, asking) => accessOf(request, callers, socketOf(request.raw), asking),
    };
  }

  /** Its listeners hand out requests and no connections. */
  open(connection: Connection): void {
    connection.destroy();
  }

  /** @throws ListenError. */
  async listen(
    endpoint: Endpoint,
    options: ListenerOptions,
    problem: ListenerEvents['problem'],
  ): Promise<Listener> {
    let url = '';
    const events: ListenerEvents = {
      connection: (connection) => connection.destroy(),
      request: (request, response) => this.#answer(request, response, url),
      problem,
    };
    try {
      const listener = await listen(endpoint, { ...options, requestTimeoutMs: httpRequestTimeoutMs }, events);
      url = httpUrlOf(listener.url);
      this.#readyTimer ??= this.#parts.clock.after(httpReadyAfterMs, () => this.#readyApi().catch(() => {}));
      return { ...listener, url };
    } catch (error) {
      if (error instanceof ListenError) throw new ListenError(httpUrlOf(error.url), error.cause as Error);
      throw error;
    }
  }

  /** Ends the streams, answers the requests that it has, for at most so long, and closes. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#readyTimer?.cancel();
    this.#context.streams.close();
    await this.#untilAnswered(timeoutMs);
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse, listener: string): void {
    const socket = this.#sockets.get(request.socket) ?? this.#newSocket(request.socket, listener);
    // A connection that stays open would keep the broker from ending.
    if (this.#isClosing) response.setHeader('connection', 'close');
    this.#answering++;
    socket.takes(response, () => {
      if (this.#isClosing) socket.close();
      if (--this.#answering === 0) this.#allAnswered?.();
    });
    this.#readyApi().then(
      (api) => api(request, response),
      (error: Error) => {
        this.#parts.logger.error({ code: 'internal-error', error: error.message }, 'a request failed');
        response.destroy();
      },
    );
  }

  #newSocket(socket: Socket, listener: string): HttpSocket {
    const { connections, clock } = this.#parts;
    const added = new HttpSocket(socket, listener, clock, this.#context.fates);
    this.#sockets.set(socket, added);
    connections.add(added);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      connections.delete(added);
      added.limits.leave();
    });
    return added;
  }

  /** Takes a tenth of a second, in which nobody else is served: so it is made when few are there yet, or for the first request. */
  #readyApi(): Promise<Api> {
    this.#api ??= makeApi({ context: this.#context, version: this.#parts.version });
    return this.#api;
  }

  #untilAnswered(timeoutMs: number): Promise<void> {
    if (this.#answering === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#allAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function httpUrlOf(url: string): string {
  return url.replace(/^tcp:/, 'http:').replace(/^tls:/, 'https:');
}
