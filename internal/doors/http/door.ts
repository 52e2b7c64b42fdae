import type { IncomingMessage, ServerResponse } from 'node:http';
import { httpRequestTimeoutMs } from '../../limits/http.ts';
import type { Connection } from '../../transport/connection.ts';
import { type Endpoint, isSecure } from '../../transport/endpoint.ts';
import { type Listener, listen } from '../../transport/listener.ts';
import type { ListenerEvents, ListenerOptions } from '../../transport/listener-options.ts';
import type { Door, DoorParts } from '../door.ts';
import type { Api } from './api.ts';
import { BrowserGuard } from './browser-guard.ts';
import { accessOf } from './caller.ts';
import type { HttpContext } from './context.ts';
import { EventStreams } from './event-streams.ts';
import type { HttpOptions } from './options.ts';

/** The HTTP door: messages, health and metrics for browsers, curl and Prometheus (docs/http.md). */
export class HttpDoor implements Door {
  readonly name = 'http';
  readonly #parts: DoorParts;
  readonly #options: HttpOptions;
  readonly #context: HttpContext;
  readonly #answering = new Set<ServerResponse>();
  /** The listener of a socket, for the identity of whoever uses it. */
  readonly #listeners = new WeakMap<object, string>();
  #api: Promise<Api> | undefined;
  #isClosing = false;
  #allAnswered: (() => void) | undefined;

  constructor(parts: DoorParts, options: HttpOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#context = {
      parts,
      streams: new EventStreams(parts),
      accessOf: ({ raw, headers }, clientId) =>
        accessOf({ raw, headers }, parts.admission, this.#listeners.get(raw.socket) ?? '', clientId),
    };
  }

  /** Its listeners hand out requests and no connections. */
  open(connection: Connection): void {
    connection.destroy();
  }

  async listen(
    endpoint: Endpoint,
    options: ListenerOptions,
    problem: ListenerEvents['problem'],
  ): Promise<Listener> {
    const url = { listener: '' };
    const listener = await listen(
      endpoint,
      { ...options, requestTimeoutMs: httpRequestTimeoutMs },
      {
        connection: (connection) => connection.destroy(),
        request: (request, response) => {
          this.#listeners.set(request.socket, url.listener);
          this.#answer(request, response);
        },
        problem,
      },
    );
    url.listener = listener.url.replace(/^(tcp|tls):/, isSecure(endpoint) ? 'https:' : 'http:');
    return { ...listener, url: url.listener };
  }

  /** Ends the streams, answers the requests that it has, for at most so long, and closes. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#context.streams.close();
    await this.#untilAnswered(timeoutMs);
    for (const response of this.#answering) response.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#answering.add(response);
    // A connection that stays open would keep the broker from ending.
    if (this.#isClosing) response.setHeader('connection', 'close');
    response.once('close', () => {
      this.#answering.delete(response);
      if (this.#isClosing) request.socket.destroySoon();
      if (this.#answering.size === 0) this.#allAnswered?.();
    });
    this.#api ??= this.#loadApi();
    this.#api.then(
      (api) => api(request, response),
      (error: Error) => {
        this.#parts.logger.error({ code: 'internal-error', error: error.message }, 'a request failed');
        response.destroy();
      },
    );
  }

  /** The first request waits for it, and no broker that nobody asks. */
  async #loadApi(): Promise<Api> {
    const { makeApi } = await import('./api.ts');
    const { hosts = [], origins = [] } = this.#options;
    return makeApi({
      context: this.#context,
      guard: new BrowserGuard(hosts, origins),
      version: this.#parts.version,
    });
  }

  #untilAnswered(timeoutMs: number): Promise<void> {
    if (this.#answering.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#allAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
