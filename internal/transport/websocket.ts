import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { CertificateNames } from '../lib/certificate-names.ts';
import type { Clock } from '../lib/clock.ts';
import {
  type Connection,
  type ConnectionContext,
  type ConnectionHandler,
  type ConnectionMeter,
  certificateOf,
  dialledOf,
  type HostAndPort,
  nobody,
  sizeOf,
  unlessFailed,
} from './connection.ts';
import { mayOpen } from './page-origins.ts';
import { readMemory } from './read-memory.ts';

export interface WebSocketOptions {
  /** Globs of the origins whose pages may connect. Default: pages of this machine, and of the address that is dialled. */
  origins?: readonly string[];
  /** The largest message of the WebSocket protocol; the stream inside may be cut into any messages. */
  maxMessageBytes: number;
  /** The subprotocols to agree to, if the client offers one of them. */
  subprotocols: readonly string[];
}

/** Upgrades HTTP requests to byte streams. */
export class WebSocketUpgrader {
  readonly #server: WebSocketServer;
  readonly #origins: readonly string[] | undefined;

  constructor(options: WebSocketOptions) {
    this.#origins = options.origins;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
      handleProtocols: (offered) => options.subprotocols.find((known) => offered.has(known)) ?? false,
    });
  }

  /** Answers an upgrade request: a connection, or a refusal in HTTP. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    context: ConnectionContext,
    accept: (connection: Connection) => void,
  ): void {
    if (!mayOpen(request, this.#origins)) {
      refuse(
        socket,
        '403 Forbidden',
        `pages of ${request.headers.origin} may not connect; see -ws-origin\n`,
        context.lingerMs,
      );
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      accept(new WebSocketConnection(webSocket, request, socket, context));
    });
  }
}

/** RFC 6455, section 7.4.1. */
const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;

/** A connection inside a WebSocket: a stream of bytes in binary messages, cut anywhere. */
class WebSocketConnection implements Connection {
  readonly remote: string;
  readonly dialled: HostAndPort | undefined;
  readonly listener: string;
  readonly clock: Clock;
  openedAt: number;
  readonly certificate: CertificateNames | undefined;
  handler: ConnectionHandler = nobody;
  meter: ConnectionMeter | undefined = undefined;
  readonly #webSocket: WebSocket;
  /** The socket below, which knows when there is room again. */
  readonly #socket: Duplex;
  readonly #counted: Socket;
  readonly #lingerMs: number;
  #pauses = 0;
  #lingerTimer: NodeJS.Timeout | undefined;
  /** Whether the peer sent what is no binary message. */
  #isRefused = false;
  #error: Error | undefined;

  constructor(webSocket: WebSocket, request: IncomingMessage, socket: Duplex, context: ConnectionContext) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#counted = request.socket;
    this.listener = context.listener;
    this.clock = context.clock;
    this.openedAt = context.clock.elapsedMs();
    this.#lingerMs = context.lingerMs;
    this.remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    this.dialled = dialledOf(request.socket);
    this.certificate = certificateOf(request.socket);
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data: RawData, isBinary: boolean) => this.#onMessage(data as Buffer, isBinary));
    webSocket.on('error', (error) => {
      this.#error = error;
    });
    webSocket.on('close', () => this.#onClose());
    socket.on('drain', () => this.handler.drained());
  }

  get receivedBytes(): number {
    return this.#counted.bytesRead;
  }

  get sentBytes(): number {
    return this.#counted.bytesWritten;
  }

  /** What is masked, cut and gathered below is not known here. */
  get isWritten(): boolean {
    return false;
  }

  write(buffers: readonly Uint8Array[], written?: () => void): boolean {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return true;
    this.#socket.cork();
    const last = buffers.length - 1;
    for (const [index, bytes] of buffers.entries()) {
      this.#webSocket.send(bytes, index === last && written ? unlessFailed(written) : undefined);
    }
    this.#socket.uncork();
    const hasRoom = !this.#socket.writableNeedDrain;
    return this.meter === undefined ? hasRoom : this.meter.sent(sizeOf(buffers), hasRoom);
  }

  pause(): void {
    if (this.#pauses++ === 0) this.#webSocket.pause();
    this.meter?.paused();
  }

  resume(): void {
    this.meter?.resumed();
    if (--this.#pauses === 0) this.#webSocket.resume();
  }

  end(last?: Uint8Array): void {
    if (this.#lingerTimer !== undefined) return;
    if (last !== undefined) this.write([last]);
    this.#close(CLOSE_NORMAL);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    // Messages behind the one that ended the connection are not looked at.
    if (this.#isRefused) return;
    if (isBinary) {
      this.handler.bytes(data);
      readMemory.read(data.length);
      return;
    }
    this.#isRefused = true;
    this.#error = new Error('a text message came; binary messages only');
    this.#close(CLOSE_UNSUPPORTED_DATA, 'binary messages only');
  }

  /** Begins to close, and waits for the peer to close too, for a bounded time. */
  #close(code: number, reason?: string): void {
    if (this.#lingerTimer !== undefined) return;
    this.#webSocket.close(code, reason);
    this.#lingerTimer = setTimeout(() => this.destroy(), this.#lingerMs);
  }

  #onClose(): void {
    clearTimeout(this.#lingerTimer);
    const { handler } = this;
    this.handler = nobody;
    handler.closed(this.#error);
  }
}

/** Answers in HTTP, and waits for the peer to close too, for a bounded time. */
function refuse(socket: Duplex, status: string, reason: string, lingerMs: number): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  );
}
