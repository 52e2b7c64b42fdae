import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { anonymous, type Identity } from '../../access/identity.ts';
import {
  grpcManyCalls,
  grpcPingStrikes,
  grpcSmallStreamWindowBytes,
  grpcStreamWindowBytes,
} from '../../limits.ts';
import { GrpcError, Status, type StatusCode } from '../../protocol/grpc/status.ts';
import { parseTimeoutMs } from '../../protocol/grpc/timeout.ts';
import { certificateNameOf } from '../../transport/connection.ts';
import { Call, type OpenCall } from './call.ts';
import type { CallSession, DoorContext } from './context.ts';
import { SHUTTING_DOWN } from './errors.ts';

/** What a session asks its door. */
export interface SessionParts {
  door: DoorContext;
  /** @throws GrpcError where there is no such method. */
  methodOf(path: string): OpenCall;
  /** Whether one call more is too much. */
  isFull(): boolean;
  callOpened(): void;
  callOver(status: StatusCode): void;
  gone(session: GrpcSession): void;
}

/**
 * One connection: makes calls of its streams, and holds it to what is in order. The runtime bounds frames that are
 * broken, header blocks, and calls that are cancelled in a row; here are the times and the pings.
 */
export class GrpcSession implements CallSession {
  readonly door: DoorContext;
  readonly identity: Identity;
  readonly #parts: SessionParts;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #calls = new Set<Call>();
  #connectTimer: NodeJS.Timeout | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  #lastPingAt = 0;
  #strikes = 0;
  #hasManyCalls = false;
  #isClosing = false;

  constructor(parts: SessionParts, socket: Socket | TLSSocket, session: ServerHttp2Session) {
    this.#parts = parts;
    this.door = parts.door;
    this.#socket = socket;
    this.#session = session;
    const remote = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.identity = anonymous({
      clientId: '',
      door: 'grpc',
      listener: '',
      remote,
      certificateName: certificateNameOf(socket),
    });
    const { connectTimeoutMs, keepAliveAfterMs, minPingIntervalMs } = parts.door.settings;
    this.#connectTimer = setTimeout(() => this.destroy(), connectTimeoutMs);
    session.on('remoteSettings', () => this.#connected());
    session.on('stream', (stream, headers) => this.#open(stream, headers));
    // What is wrong with a connection closes it, and `close` says so.
    session.on('error', () => this.destroy());
    session.on('close', () => this.#gone());
    socket.on('close', () => this.#gone());
    if (minPingIntervalMs > 0) session.on('ping', () => this.#pinged());
    if (keepAliveAfterMs > 0) session.setTimeout(keepAliveAfterMs, () => this.#askWhetherThere());
  }

  sent(): void {
    this.#strikes = 0;
    this.#lastPingAt = 0;
  }

  callOver(call: Call, status: StatusCode): void {
    if (!this.#calls.delete(call)) return;
    this.#parts.callOver(status);
    if (this.#hasManyCalls && this.#calls.size < grpcManyCalls / 2) this.#setManyCalls(false);
  }

  /** Takes no new calls, and closes when the last one is over. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (!this.#session.destroyed) this.#session.close();
    for (const call of [...this.#calls]) call.closing();
  }

  /** Ends the calls that are left with UNAVAILABLE. */
  failCalls(): void {
    for (const call of [...this.#calls]) call.fail(new GrpcError(Status.UNAVAILABLE, SHUTTING_DOWN));
  }

  /** Closes at once. */
  destroy(): void {
    if (!this.#session.destroyed) this.#session.destroy();
    this.#socket.destroy();
  }

  #connected(): void {
    clearTimeout(this.#connectTimer);
  }

  /** What clients may send ahead goes for each call; together it must not be more than we can bear. */
  #setManyCalls(isMany: boolean): void {
    this.#hasManyCalls = isMany;
    if (this.#session.destroyed || this.#session.closed) return;
    const initialWindowSize = isMany ? grpcSmallStreamWindowBytes : grpcStreamWindowBytes;
    try {
      this.#session.settings({ initialWindowSize });
    } catch {
      // A client that confirms no settings any more is no client.
      this.destroy();
    }
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => {});
    // A call may be cancelled in the packet that opens it.
    if (stream.destroyed || stream.closed) return;
    const refusal = refusalOf(headers);
    if (refusal !== undefined) {
      stream.respond({ ':status': refusal }, { endStream: true });
      stream.resume();
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const call = new Call(this, stream);
    this.#calls.add(call);
    this.#parts.callOpened();
    if (this.#calls.size > grpcManyCalls && !this.#hasManyCalls) this.#setManyCalls(true);
    try {
      if (this.#parts.isFull()) throw new GrpcError(Status.RESOURCE_EXHAUSTED, 'too many calls at once');
      const denied = this.door.guard?.mayConnect(this.identity);
      if (denied !== undefined) throw new GrpcError(Status.UNAUTHENTICATED, denied);
      const open = this.#parts.methodOf(String(headers[':path']));
      const timeout = headers['grpc-timeout'];
      const timeoutMs = timeout === undefined ? undefined : parseTimeoutMs(String(timeout));
      call.start(open, headers['grpc-encoding'] as string | undefined, timeoutMs);
    } catch (error) {
      call.fail(error);
    }
  }

  #pinged(): void {
    if (this.#isClosing) return;
    const now = performance.now();
    const isEarly = this.#lastPingAt > 0 && now - this.#lastPingAt < this.door.settings.minPingIntervalMs;
    this.#lastPingAt = now;
    if (!isEarly) return;
    if (++this.#strikes <= grpcPingStrikes) return;
    this.#isClosing = true;
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
    // The word has to leave before the connection does.
    setImmediate(() => this.destroy());
  }

  #askWhetherThere(): void {
    if (this.#pingTimer !== undefined || this.#session.destroyed) return;
    this.#pingTimer = setTimeout(() => this.destroy(), this.door.settings.keepAliveTimeoutMs);
    const isSent = this.#session.ping(() => {
      clearTimeout(this.#pingTimer);
      this.#pingTimer = undefined;
    });
    if (!isSent) this.destroy();
  }

  #gone(): void {
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#pingTimer);
    this.#socket.destroy();
    this.#parts.gone(this);
  }
}

/** The status of HTTP for what is no call of gRPC. */
function refusalOf(headers: IncomingHttpHeaders): number | undefined {
  if (headers[':method'] !== 'POST') return constants.HTTP_STATUS_METHOD_NOT_ALLOWED;
  const isGrpc = /^application\/grpc(?:[+;].*)?$/.test(headers['content-type'] ?? '');
  return isGrpc ? undefined : constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE;
}
