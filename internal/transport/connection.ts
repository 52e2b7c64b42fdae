import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateNames } from '../lib/certificate-names.ts';
import type { Clock } from '../lib/clock.ts';
import { certificateNames } from './certificate-names.ts';
import {
  FULL_READ_BYTES,
  FULL_READS_BEFORE_LENDING,
  LEAST_LENT_BYTES,
  LENT_BYTES_IN_A_ROW,
  readIntoLent,
} from './lent-reads.ts';
import { readMemory } from './read-memory.ts';

/** Who receives what arrives on a connection. */
export interface ConnectionHandler {
  /** A chunk of the stream, cut anywhere. Nobody writes these bytes again. */
  bytes(chunk: Uint8Array): void;
  /**
   * Takes such a chunk that lies in memory of the connection. Whether the connection may write there again; false: nobody will, as
   * with {@link bytes}. There where the handler can tell.
   */
  borrow?(chunk: Uint8Array): boolean;
  /** {@link Connection.write} said false, and now there is room again. */
  drained(): void;
  /** The peer will send nothing more. Told when all that it sent was, so not while {@link Connection.pause} counts. */
  ended(): void;
  /** The connection is gone; nothing is called after this. */
  closed(error?: Error): void;
}

/** Holds a connection to limits: it is told of what is sent, and of who pauses. */
export interface ConnectionMeter {
  /** Told of what was written; whether whoever wrote it may write more. */
  sent(bytes: number, hasRoom: boolean): boolean;
  /** So many messages have come so far. */
  received(messages: number): void;
  /** So many messages have left so far, with what is written next. */
  sending(messages: number): void;
  paused(): void;
  resumed(): void;
}

/** One stream of bytes in each direction, over whatever carries it. */
export interface Connection {
  /** Where the peer is, for people: an address and port, or the socket's path. */
  readonly remote: string;
  /** The listener's URL. */
  readonly listener: string;
  /** The time that it goes by. */
  readonly clock: Clock;
  /**
   * When it was accepted, by its clock's `elapsedMs`, in milliseconds. Whoever has the connection moves it on by time that
   * shall not count.
   */
  openedAt: number;
  /** Bytes on the wire so far. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** The names in the client's certificate, where the listener verified one. */
  readonly certificate: CertificateNames | undefined;
  /**
   * The address that the peer dialled, as far as it can be seen from here: the name that it gave in its TLS handshake,
   * or the local end of the connection. Undefined for a unix socket.
   */
  readonly dialled: HostAndPort | undefined;
  handler: ConnectionHandler;
  /** There where its client is under limits. */
  meter?: ConnectionMeter | undefined;
  /** Whether the system has all that was written, and nobody reads the buffers any more. */
  readonly isWritten: boolean;
  /**
   * Takes all the bytes; false where the caller should wait for `drained` before it writes more.
   *
   * @param written called when the system has all of them, and nobody reads the buffers any more; not where the connection ends
   *   before that.
   */
  write(buffers: readonly Uint8Array[], written?: () => void): boolean;
  /** Stops calling `bytes`, so that the peer's window fills. Counted: {@link resume} as often as this. */
  pause(): void;
  resume(): void;
  /**
   * Says a last word and no more. What the peer still sends is read, where nobody paused that, until it closes too,
   * for a bounded time: a close with unread bytes would become a reset and the last word would be lost on the way.
   */
  end(last?: Uint8Array): void;
  /** Closes at once. */
  destroy(): void;
}

export interface HostAndPort {
  host: string;
  port: number;
}

/** What a connection needs from its listener. */
export interface ConnectionContext {
  listener: string;
  clock: Clock;
  /** How long {@link Connection.end} waits for the peer to close. */
  lingerMs: number;
}

/** Up to so many bytes it takes less to copy them than to tell the kernel of several buffers. */
const JOINED_BYTES = 1_024;

/** In the place of a number of reads: it was decided how the socket is read. */
const NO_LONGER_COUNTED = -1;

const ownerOf = Symbol('connection of this socket');
type OwnedSocket = Socket & { [ownerOf]: SocketConnection };

/** Hears nothing: before somebody takes a connection over, and after it has closed. */
export const nobody: ConnectionHandler = { bytes() {}, drained() {}, ended() {}, closed() {} };

/**
 * A connection over a socket of the runtime: tcp, tls or unix. Its listeners are functions of the module, not
 * closures, because ten thousand idle connections should cost little.
 */
export class SocketConnection implements Connection {
  readonly remote: string;
  readonly listener: string;
  readonly clock: Clock;
  openedAt: number;
  readonly certificate: CertificateNames | undefined;
  handler: ConnectionHandler = nobody;
  meter: ConnectionMeter | undefined = undefined;
  readonly #socket: OwnedSocket;
  readonly #lingerMs: number;
  #pauses = 0;
  /** Reads in a row that filled the buffer of the runtime. */
  #fullReads = 0;
  /** Bytes that were read into lent memory since others had their turn. */
  #bytesInARow = 0;
  #hasPeerEnded = false;
  #lingerTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket | TLSSocket, context: ConnectionContext) {
    this.#socket = socket as OwnedSocket;
    this.#socket[ownerOf] = this;
    this.listener = context.listener;
    this.clock = context.clock;
    this.openedAt = context.clock.elapsedMs();
    this.#lingerMs = context.lingerMs;
    this.remote = remoteOf(socket);
    this.certificate = certificateOf(socket);
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten;
  }

  get dialled(): HostAndPort | undefined {
    return dialledOf(this.#socket);
  }

  get isWritten(): boolean {
    return this.#socket.writableLength === 0;
  }

  write(buffers: readonly Uint8Array[], written?: () => void): boolean {
    const hasRoom = this.#send(buffers, written && unlessFailed(written));
    return this.meter === undefined ? hasRoom : this.meter.sent(sizeOf(buffers), hasRoom);
  }

  #send(buffers: readonly Uint8Array[], written: WriteCallback | undefined): boolean {
    const socket = this.#socket;
    if (buffers.length === 1) return socket.write(buffers[0], written);
    const length = sizeOf(buffers);
    if (length <= JOINED_BYTES) return socket.write(Buffer.concat(buffers, length), written);
    socket.cork();
    const last = buffers.length - 1;
    for (let index = 0; index < last; index++) socket.write(buffers[index]);
    socket.write(buffers[last], written);
    socket.uncork();
    return !socket.writableNeedDrain;
  }

  pause(): void {
    if (this.#pauses++ === 0) this.#socket.pause();
    this.meter?.paused();
  }

  resume(): void {
    this.meter?.resumed();
    this.#resume();
  }

  #resume(): void {
    if (--this.#pauses > 0) return;
    this.#socket.resume();
    // Whoever resumes may be in the middle of something.
    if (this.#hasPeerEnded) setImmediate(() => this.#tellEnd());
  }

  end(last?: Uint8Array): void {
    if (this.#lingerTimer !== undefined || this.#socket.destroyed) return;
    if (last === undefined) this.#socket.end();
    else this.#socket.end(last);
    this.#lingerTimer = setTimeout(() => this.destroy(), this.#lingerMs);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Called with what the socket brings. */
  take(chunk: Uint8Array): void {
    this.handler.bytes(chunk);
    readMemory.read(chunk.length);
    if (this.#fullReads < 0) return;
    if (chunk.length < FULL_READ_BYTES || this.handler.borrow === undefined) this.#fullReads = 0;
    else if (++this.#fullReads >= FULL_READS_BEFORE_LENDING && this.#isBetweenReads) this.#lend();
  }

  /** Whether nothing was read yet that comes after this: what is read into lent memory does not queue behind it. */
  get #isBetweenReads(): boolean {
    return this.#pauses === 0 && this.#socket.readableLength === 0;
  }

  /** Asked for once: where it is not to be had, each read has a buffer of its own. */
  #lend(): void {
    this.#fullReads = NO_LONGER_COUNTED;
    if (!('authorized' in this.#socket)) readIntoLent(this.#socket, (chunk) => this.#takeLent(chunk));
  }

  #takeLent(chunk: Uint8Array): boolean {
    this.#bytesInARow += chunk.length;
    if (this.#bytesInARow >= LENT_BYTES_IN_A_ROW) this.#giveWay();
    const { handler } = this;
    if (chunk.length >= LEAST_LENT_BYTES && handler.borrow !== undefined) {
      const isFree = handler.borrow(chunk);
      if (!isFree) readMemory.read(chunk.length);
      return isFree;
    }
    handler.bytes(new Uint8Array(chunk));
    readMemory.read(chunk.length);
    return true;
  }

  /** Reads no more in this turn. */
  #giveWay(): void {
    this.#bytesInARow = 0;
    if (this.#pauses++ === 0) this.#socket.pause();
    setImmediate(() => this.#resume());
  }

  /** Called by the socket's `end`. A socket without bytes says so though it is paused. */
  peerEnded(): void {
    this.#hasPeerEnded = true;
    this.#tellEnd();
  }

  /** Called by the socket's `close`. */
  finish(error: Error | undefined): void {
    clearTimeout(this.#lingerTimer);
    const { handler } = this;
    this.handler = nobody;
    handler.closed(error);
  }

  #tellEnd(): void {
    if (this.#pauses > 0 || !this.#hasPeerEnded) return;
    this.#hasPeerEnded = false;
    this.handler.ended();
  }
}

type WriteCallback = (error: Error | null | undefined) => void;

/** A connection that ends fails what it has not written. */
export function unlessFailed(written: () => void): WriteCallback {
  return (error) => {
    if (!error) written();
  };
}

/** Bytes of all buffers together. */
export function sizeOf(buffers: readonly Uint8Array[]): number {
  let length = 0;
  for (const bytes of buffers) length += bytes.length;
  return length;
}

const failures = new WeakMap<SocketConnection, Error>();

function onData(this: Socket, chunk: Uint8Array): void {
  (this as OwnedSocket)[ownerOf].take(chunk);
}

function onDrain(this: Socket): void {
  (this as OwnedSocket)[ownerOf].handler.drained();
}

function onEnd(this: Socket): void {
  (this as OwnedSocket)[ownerOf].peerEnded();
}

function onError(this: Socket, error: Error): void {
  failures.set((this as OwnedSocket)[ownerOf], error);
}

function onClose(this: Socket): void {
  const connection = (this as OwnedSocket)[ownerOf];
  connection.finish(failures.get(connection));
}

export function remoteOf(socket: Socket): string {
  if (socket.remoteAddress === undefined) return 'unix socket';
  const host = socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress;
  return `${host}:${socket.remotePort}`;
}

export function dialledOf(socket: Socket | TLSSocket): HostAndPort | undefined {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return undefined;
  const serverName = 'servername' in socket ? socket.servername : undefined;
  // An IPv4 peer of a listener for both families: the address that it knows is the inner one.
  return { host: serverName || localAddress.replace(/^::ffff:(?=\d+\.)/, ''), port: localPort };
}

/** Only names that the listener verified count; without a CA nobody checked them. */
export function certificateOf(socket: Socket | TLSSocket): CertificateNames | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && certificateNames(certificate.raw);
}
