import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
  sensitiveHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Failure } from '../../lib/failure.ts';
import { smqClientMemoryMiB } from '../../limits/clients.ts';
import type { MessageOf, MessageType, NewMessageOf } from '../../protocol/grpc/schema.ts';
import { encodeEnveloped } from '../../protocol/grpc/write-message.ts';
import { SuhaibMessageQueue } from '../../protocol/smq/smq.ts';
import {
  type BrokerAddress,
  type ClientCredentials,
  ConnectionFailure,
  type ConnectionSettings,
  nameOf,
  openSocket,
} from '../socket.ts';
import { Call } from './call.ts';

const MiB = 1024 * 1024;
/** How much of one stream may be on its way, so that a long line does not slow it down. */
const STREAM_WINDOW_BYTES = 1 * MiB;
const CONNECTION_WINDOW_BYTES = 4 * MiB;

/** What a client needs to know beside the address. */
export type SmqSettings = Pick<
  ConnectionSettings,
  'credentials' | 'tls' | 'connectTimeoutMs' | 'requestTimeoutMs' | 'stop'
>;

/** A client of SMQ's service: one connection of HTTP/2, and calls on it. */
export class SmqClient {
  readonly #session: ClientHttp2Session;
  readonly #name: string;
  readonly #requestTimeoutMs: number;
  readonly #credentials: ClientCredentials | undefined;
  /** Why the connection ended. */
  #closed: unknown;

  private constructor(session: ClientHttp2Session, name: string, settings: SmqSettings) {
    this.#session = session;
    this.#name = name;
    this.#requestTimeoutMs = settings.requestTimeoutMs;
    this.#credentials = settings.credentials;
    session.on('error', (error) => {
      this.#closed ??= new ConnectionFailure(`${name}: ${error.message}`);
    });
    session.on('goaway', (code) => {
      if (code !== 0)
        this.#closed ??= new ConnectionFailure(`${name} ended the connection with code ${code}`);
    });
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
  }

  /**
   * Connects to a server, with TLS where it is wanted.
   *
   * @throws ConnectionFailure; the reason of the stop.
   */
  static async connect(address: BrokerAddress, settings: SmqSettings): Promise<SmqClient> {
    const name = nameOf(address);
    const tls = settings.tls === undefined ? undefined : { ...settings.tls, ALPNProtocols: ['h2'] };
    const socket = await openSocket(address, { ...settings, tls, clientId: '', softwareVersion: '' });
    const scheme = tls === undefined ? 'http' : 'https';
    if (tls !== undefined && (socket as TLSSocket).alpnProtocol !== 'h2') {
      socket.destroy();
      throw new ConnectionFailure(`${name} does not speak HTTP/2`);
    }
    return new SmqClient(openSession(`${scheme}://${name}`, socket), name, settings);
  }

  /**
   * Calls a method that takes one request and gives one response.
   *
   * @throws SmqRefusal; ConnectionFailure; Failure where there is no answer in time.
   */
  async unary<Request extends MessageType, Response extends MessageType>(
    method: string,
    types: { request: Request; response: Response },
    request: NewMessageOf<Request>,
  ): Promise<MessageOf<Response>> {
    let answer: MessageOf<Response> | undefined;
    const call = this.open(method, types.response, (response) => {
      answer = response;
    });
    const timer = setTimeout(() => call.fail(this.#silence()), this.#requestTimeoutMs);
    try {
      call.write(encodeEnveloped(types.request, request));
      call.halfClose();
      await call.ended;
    } finally {
      clearTimeout(timer);
    }
    if (answer === undefined) throw new Failure(`${this.#name} ended ${method} without an answer`);
    return answer;
  }

  /** Opens a call of a method; nothing is sent but its headers. */
  open<Response extends MessageType>(
    method: string,
    response: Response,
    onResponse: (response: MessageOf<Response>) => void,
  ): Call<Response> {
    // A connection that has just gone refuses the stream at once.
    if (this.#session.closed || this.#session.destroyed) throw this.#whyClosed();
    const stream = this.#session.request(
      {
        ':method': 'POST',
        ':path': `/${SuhaibMessageQueue.name}/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...authorizationOf(this.#credentials),
      },
      { endStream: false },
    );
    return new Call(stream, response, onResponse, () => this.#whyClosed());
  }

  /**
   * Waits for the end of a call that may last for ever. When the server is silent for long it is asked for a sign of
   * life, since a connection whose other end has vanished looks just like that.
   *
   * @throws as the call does; ConnectionFailure where there is no sign of life.
   */
  async watch(call: Call<MessageType>): Promise<void> {
    let isAsking = false;
    call.heardAtMs = performance.now();
    const timer = setInterval(
      () => {
        const isSilent = performance.now() - call.heardAtMs >= this.#requestTimeoutMs;
        if (!isSilent || call.isPaused || this.#session.destroyed) return;
        if (isAsking) {
          call.fail(this.#silence());
          return;
        }
        isAsking = this.#session.ping(() => {
          isAsking = false;
          call.heardAtMs = performance.now();
        });
      },
      Math.max(1, this.#requestTimeoutMs),
    );
    try {
      await call.ended;
    } finally {
      clearInterval(timer);
    }
  }

  /** Closes the connection; what is under way ends with the reason. */
  close(reason?: unknown): void {
    this.#closed ??= reason;
    this.#session.destroy();
  }

  #whyClosed(): unknown {
    return this.#closed ?? new ConnectionFailure(`${this.#name} closed the connection`);
  }

  #silence(): Failure {
    return new ConnectionFailure(`no answer from ${this.#name} within ${this.#requestTimeoutMs} ms`);
  }
}

/** The metadata that says who the client is (RFC 7617, RFC 6750). No table of headers on the way keeps it. */
function authorizationOf(credentials: ClientCredentials | undefined): OutgoingHttpHeaders {
  if (credentials === undefined) return {};
  const shown =
    'token' in credentials
      ? `Bearer ${credentials.token()}`
      : `Basic ${Buffer.from(`${credentials.user}:${credentials.password()}`).toString('base64')}`;
  return { authorization: shown, [sensitiveHeaders]: ['authorization'] };
}

function openSession(url: string, socket: Socket): ClientHttp2Session {
  return connectHttp2(url, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    // One response may be as large as the service allows.
    maxSessionMemory: smqClientMemoryMiB,
  });
}
