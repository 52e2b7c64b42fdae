import { maxWaitingControlBytes } from '../../../limits/doors.ts';
import {
  grpcHeaderBytes,
  grpcManyCalls,
  grpcPingStrikes,
  http2StreamWindowBytes,
} from '../../../limits/grpc.ts';
import { lingerMs } from '../../../limits/transport.ts';
import { FirstBytes, type Protocol } from '../../../protocol/first-bytes.ts';
import {
  DEFAULT_WINDOW_BYTES,
  encodeGoAway,
  encodePing,
  encodeResetStream,
  encodeSettings,
  encodeWindowUpdate,
  FrameType,
  LARGEST_STREAM_ID,
  PREFACE,
} from '../../../protocol/http2/frame.ts';
import { FrameCursor } from '../../../protocol/http2/frame-cursor.ts';
import { Http2Code, Http2Error, type Http2ErrorCode } from '../../../protocol/http2/http2-error.ts';
import type { RequestHead } from '../../../protocol/http2/request-head.ts';
import { Setting } from '../../../protocol/http2/settings.ts';
import type { Connection, ConnectionHandler } from '../../../transport/connection.ts';
import { Intake, type Taker } from '../../clients/intake.ts';
import { type FrameOwner, FrameTaker } from './frame-taker.ts';
import { FrameWriter } from './frame-writer.ts';
import { KeepAlive, type KeepAliveSettings } from './keep-alive.ts';
import { PingStrikes } from './ping-strikes.ts';
import type { Http2Stream } from './stream.ts';
import { Streams } from './streams.ts';

/** Settings of a connection. Times in milliseconds, sizes in bytes. */
export interface Http2Settings extends KeepAliveSettings {
  /** The time that a client has for its preface, and for each header block. */
  connectTimeoutMs: number;
  /** Clients ping no more often than this while nothing is sent to them; 0: as they like. */
  minPingIntervalMs: number;
  /** Streams that may be open at once. */
  callsPerConnection: number;
  /** The bytes that a client may send ahead on the connection. */
  windowBytes: number;
}

/** The owner of a connection. */
export interface Http2Events {
  /** A client opened a stream, whose handler is to be set. */
  opened(stream: Http2Stream, head: RequestHead): void;
  /** The same with a request that has too many fields to be read: `listBytes`. */
  openedTooLarge(stream: Http2Stream, listBytes: number): void;
  /** The first bytes are not HTTP/2 but `protocol`, if that is known; the connection is not ours any more. */
  foreign(first: Uint8Array, protocol: Protocol | undefined): void;
  /** The client broke a rule, and was told. */
  failed(error: Http2Error): void;
  /** Something threw that nobody foresaw. */
  unexpected(error: unknown): void;
  /** The connection is gone. */
  closed(): void;
}

/**
 * The server's side of a connection of HTTP/2 (RFC 9113): its beginning and its end, its times, and the frames between
 * the two, which {@link FrameTaker} takes and {@link FrameWriter} sends.
 */
export class Http2Connection implements ConnectionHandler, Taker, FrameOwner {
  readonly intake: Intake;
  readonly #connection: Connection;
  readonly #settings: Http2Settings;
  readonly #events: Http2Events;
  readonly #cursor = new FrameCursor();
  readonly #streams = new Streams();
  readonly #writer: FrameWriter;
  readonly #taker: FrameTaker;
  readonly #strikes: PingStrikes;
  readonly #keepAlive: KeepAlive;
  /** The bytes of a preface that is not whole yet; undefined afterwards. */
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  #isConnected = false;
  /** When the client said its last byte. */
  #peerEndedAt: number | undefined;
  #isShuttingDown = false;
  #shutdownTimer: NodeJS.Timeout | undefined;
  #refusesStreams = false;
  #isHeldBack = false;
  #isEnded = false;

  constructor(connection: Connection, settings: Http2Settings, events: Http2Events) {
    this.#connection = connection;
    this.#settings = settings;
    this.#events = events;
    // A call that keeps something of a short frame copies it.
    this.intake = new Intake(connection, this, { cursor: this.#cursor, reusesBuffer: true });
    this.#strikes = new PingStrikes(settings.minPingIntervalMs, grpcPingStrikes);
    this.#writer = new FrameWriter(connection, (worth) => this.#sent(worth));
    this.#taker = new FrameTaker({
      owner: this,
      writer: this.#writer,
      streams: this.#streams,
      callsPerConnection: settings.callsPerConnection,
      windowBytes: settings.windowBytes,
      clock: connection.clock,
    });
    this.#keepAlive = new KeepAlive(settings, this.intake, this.#writer);
    connection.handler = this;
  }

  get refusesStreams(): boolean {
    return this.#refusesStreams;
  }

  get isCrowded(): boolean {
    return this.#streams.size > grpcManyCalls;
  }

  bytes(chunk: Uint8Array): void {
    if (this.#firstBytes === undefined) this.intake.bytes(chunk);
    else this.#takePreface(this.#firstBytes, chunk);
  }

  takeUnits(bytes: Uint8Array, at: number, stop: number): number {
    const cursor = this.#cursor;
    const limit = bytes.length;
    while (at < stop && this.intake.isOpen && cursor.read(bytes, at, limit)) {
      at = cursor.end;
      this.#taker.take(cursor, bytes);
      if (cursor.type !== FrameType.data) this.intake.noteControl();
      if (this.#writer.waitingBytes > maxWaitingControlBytes) this.#holdBack();
    }
    return at;
  }

  failed(error: unknown): void {
    if (this.#isEnded) return;
    if (error instanceof Http2Error) this.#events.failed(error);
    else this.#events.unexpected(error);
    const code = error instanceof Http2Error ? error.code : Http2Code.INTERNAL_ERROR;
    this.#goAway(code, error instanceof Http2Error ? error.message : '');
  }

  drained(): void {
    this.#writer.drained();
    if (!this.#isHeldBack || this.#writer.waitingBytes > maxWaitingControlBytes) return;
    this.#isHeldBack = false;
    this.intake.resume();
  }

  /** The client sends nothing more: what it asked for is answered, for a moment, and what it had not asked is not. */
  ended(): void {
    if (!this.#isConnected) {
      this.#connection.end();
      return;
    }
    this.#peerEndedAt = this.#connection.clock.elapsedMs();
    this.#refusesStreams = true;
    for (const stream of [...this.#streams]) if (!stream.isRemoteClosed) this.streamClosed(stream);
    this.#endIfIdle();
  }

  /**
   * Takes no new streams, and closes when the last one is over. A client learns of it first, and then which of its
   * streams were still taken (RFC 9113, section 6.8).
   */
  shutDown(timeoutMs: number): void {
    if (this.#isShuttingDown || this.#isEnded) return;
    this.#isShuttingDown = true;
    if (!this.#isConnected) {
      this.destroy();
      return;
    }
    this.#writer.control(encodeGoAway(LARGEST_STREAM_ID, Http2Code.NO_ERROR, ''));
    this.#writer.control(encodePing(SHUTDOWN_PING, 0, false));
    this.#shutdownTimer = setTimeout(() => this.#refuseStreams(), timeoutMs);
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** Called twice a second: ends what is overdue. `lostMs` counts against nobody. */
  sweep(now: number, lostMs: number): void {
    if (this.#isEnded) return;
    if (lostMs > 0) this.#allow(lostMs);
    const { connectTimeoutMs } = this.#settings;
    const { headerBlock } = this.#taker;
    const isLate =
      (!this.#isConnected && this.#connection.openedAt + connectTimeoutMs <= now) ||
      (headerBlock !== undefined && headerBlock.beganAt + connectTimeoutMs <= now) ||
      (this.#peerEndedAt !== undefined && this.#peerEndedAt + lingerMs <= now);
    if (isLate || (this.#isConnected && this.#keepAlive.isDead(now))) this.destroy();
  }

  closed(): void {
    this.#isEnded = true;
    clearTimeout(this.#shutdownTimer);
    this.intake.close();
    this.#writer.end();
    this.#finishAll();
    this.#events.closed();
  }

  /** As the owner of streams, and of what the taker finds. */
  streamReady(stream: Http2Stream): void {
    if (stream.send.isReady) this.#writer.ready(stream);
  }

  streamClosed(stream: Http2Stream): void {
    this.#finish(stream, false);
  }

  resetStream(stream: Http2Stream, code: Http2ErrorCode): void {
    this.#writer.control(encodeResetStream(stream.id, code));
    this.#finish(stream, true);
  }

  kept(bytes: number): void {
    this.#taker.kept(bytes);
  }

  released(bytes: number): void {
    this.#taker.released(bytes);
  }

  updateWindow(streamId: number, increment: number): void {
    this.#writer.control(encodeWindowUpdate(streamId, increment));
  }

  connected(): void {
    this.#isConnected = true;
  }

  opened(stream: Http2Stream, head: RequestHead): void {
    this.#events.opened(stream, head);
  }

  openedTooLarge(stream: Http2Stream, listBytes: number): void {
    this.#events.openedTooLarge(stream, listBytes);
  }

  pinged(): void {
    if (!this.#strikes.isTooMany(this.#connection.clock.elapsedMs())) return;
    throw new Http2Error(Http2Code.ENHANCE_YOUR_CALM, 'gRPC A8', 'too_many_pings');
  }

  ponged(payload: Uint8Array): void {
    this.#keepAlive.answered();
    if (this.#isShuttingDown && SHUTDOWN_PING.equals(payload)) this.#refuseStreams();
  }

  #takePreface(first: FirstBytes, chunk: Uint8Array): void {
    const protocol = first.push(chunk);
    if (protocol === 'undecided') return;
    const { bytes } = first;
    if (protocol !== 'HTTP/2') {
      this.#isEnded = true;
      this.#events.foreign(bytes, protocol);
      return;
    }
    this.#firstBytes = undefined;
    this.#begin();
    if (bytes.length > PREFACE.length) this.intake.bytes(bytes.subarray(PREFACE.length));
  }

  /** The server's preface is its SETTINGS (RFC 9113, section 3.4). */
  #begin(): void {
    this.#writer.control(
      encodeSettings([
        [Setting.maxConcurrentStreams, this.#settings.callsPerConnection],
        [Setting.initialWindowSize, http2StreamWindowBytes],
        [Setting.maxHeaderListSize, grpcHeaderBytes],
      ]),
    );
    const increment = this.#settings.windowBytes - DEFAULT_WINDOW_BYTES;
    if (increment > 0) this.#writer.control(encodeWindowUpdate(0, increment));
  }

  #sent(worthFrames: number): void {
    this.#strikes.clear();
    this.#taker.sent(worthFrames);
  }

  /** A client that does not take what answers it is read no further (RFC 9113, section 10.5). */
  #holdBack(): void {
    if (this.#isHeldBack) return;
    this.#isHeldBack = true;
    this.intake.pause();
    this.intake.giveWay();
  }

  #finish(stream: Http2Stream, isReset: boolean): void {
    this.#streams.close(stream, isReset);
    this.#writer.forget(stream);
    stream.finish();
    this.#endIfIdle();
  }

  #finishAll(): void {
    for (const stream of [...this.#streams]) this.#finish(stream, false);
  }

  #refuseStreams(): void {
    clearTimeout(this.#shutdownTimer);
    if (this.#refusesStreams || this.#isEnded) return;
    this.#refusesStreams = true;
    this.#writer.control(encodeGoAway(this.#streams.lastId, Http2Code.NO_ERROR, ''));
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#refusesStreams && this.#streams.size === 0) this.#end();
  }

  /** Says what is wrong, and closes: nothing that comes after that is looked at (RFC 9113, section 5.4.1). */
  #goAway(code: Http2ErrorCode, why: string): void {
    this.#writer.control(encodeGoAway(this.#streams.lastId, code, why));
    this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#shutdownTimer);
    this.#writer.end();
    this.intake.discardInput();
    this.#connection.end();
    this.#finishAll();
  }

  #allow(lostMs: number): void {
    this.intake.allow(lostMs);
    this.#keepAlive.allow(lostMs);
    if (this.#peerEndedAt !== undefined) this.#peerEndedAt += lostMs;
    if (this.#taker.headerBlock !== undefined) this.#taker.headerBlock.beganAt += lostMs;
  }
}

const SHUTDOWN_PING = Buffer.from('goodbye ');
