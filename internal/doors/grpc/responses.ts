import { constants, type ServerHttp2Stream } from 'node:http2';
import { grpcSmallUnsentBytes, grpcWriteBytes } from '../../limits.ts';
import { encodeStatusMessage, type GrpcError, Status } from '../../protocol/grpc/status.ts';
import { ENCODINGS } from './expander.ts';
import type { Sender, Unsent } from './unsent.ts';

/** The responding half of a call's stream: headers, messages, status. What its client has not taken is counted. */
export class Responses implements Sender {
  readonly #stream: ServerHttp2Stream;
  readonly #unsent: Unsent;
  readonly #onEvict: () => void;
  #trailers: Record<string, string> = OK_TRAILERS;
  #readBytes = 0;

  /** @param onEvict is called where the client takes nothing and others wait for the room. */
  constructor(stream: ServerHttp2Stream, unsent: Unsent, onEvict: () => void) {
    this.#stream = stream;
    this.#unsent = unsent;
    this.#onEvict = onEvict;
  }

  /** The stream may be gone before `close` says so. */
  get isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /**
   * Sends responses, each with its envelope, cut in any way.
   *
   * @param written is called after the client's window took them; not if the stream ends before.
   */
  write(pieces: readonly Uint8Array[], written: () => void): void {
    this.#respond();
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    this.#unsent.hold(this, bytes);
    if (bytes <= grpcWriteBytes) this.#writeOnce(pieces, bytes, written);
    else this.#writeInParts(pieces, written);
  }

  /** So much was read for the client, instead of what it was before; it counts as unsent until there is something else. */
  setReadBytes(bytes: number): void {
    this.#unsent.release(this, this.#readBytes);
    this.#readBytes = bytes;
    this.#unsent.hold(this, bytes);
  }

  /** Whether {@link finish} may take a response; what is longer is to be written before. */
  isShort(response: Uint8Array): boolean {
    // What is short is as good as taken.
    return response.length <= grpcSmallUnsentBytes;
  }

  /** Sends a last response, if there is one, and the status OK. */
  finish(response?: Uint8Array): void {
    this.#respond();
    if (response === undefined) this.#stream.end();
    else this.#stream.end(response);
  }

  /** Sends the status of an error, behind what was sent. Returns whether the stream has ended with that. */
  fail({ status, message }: GrpcError): boolean {
    const stream = this.#stream;
    const trailers = { 'grpc-status': String(status), 'grpc-message': encodeStatusMessage(message) };
    if (!stream.headersSent) {
      const accepted = status === Status.UNIMPLEMENTED ? ACCEPTED_ENCODINGS : undefined;
      stream.respond({ ...HEADERS, ...accepted, ...trailers }, TRAILERS_ONLY);
      return true;
    }
    this.#trailers = trailers;
    stream.end();
    // A client that takes nothing does not take the status behind it either.
    if (status === Status.DEADLINE_EXCEEDED && stream.writableLength > 0) this.#closeSoon();
    return false;
  }

  /** Called by the stream, when all responses are sent. */
  sendTrailers(): void {
    this.#stream.sendTrailers(this.#trailers);
  }

  /** Called by the stream, when it is gone. */
  forget(): void {
    this.#unsent.forget(this);
  }

  evict(): void {
    this.#onEvict();
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #respond(): void {
    if (!this.#stream.headersSent) this.#stream.respond(HEADER_LIST, WITH_TRAILERS);
  }

  #writeOnce(pieces: readonly Uint8Array[], bytes: number, written: () => void): void {
    const stream = this.#stream;
    const last = pieces.length - 1;
    if (last > 0) stream.cork();
    for (let index = 0; index < last; index++) stream.write(pieces[index]);
    stream.write(pieces[last], (error) => {
      this.#unsent.release(this, bytes);
      if (!error) written();
    });
    if (last > 0) stream.uncork();
  }

  /** The runtime refuses other calls of a connection on which it has much to send. */
  #writeInParts(pieces: readonly Uint8Array[], written: () => void): void {
    let index = 0;
    let at = 0;
    const writeNext = () => {
      if (this.isGone || this.#stream.writableEnded) return;
      const part: Uint8Array[] = [];
      let bytes = 0;
      while (index < pieces.length && bytes < grpcWriteBytes) {
        const piece = pieces[index]!;
        const slice = piece.subarray(at, at + grpcWriteBytes - bytes);
        part.push(slice);
        bytes += slice.length;
        at += slice.length;
        if (at < piece.length) continue;
        index++;
        at = 0;
      }
      this.#writeOnce(part, bytes, index < pieces.length ? writeNext : written);
    };
    writeNext();
  }

  #closeSoon(): void {
    const stream = this.#stream;
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), LAST_WORD_MS);
    stream.once('close', () => clearTimeout(timer));
  }
}

/** A client that compressed in another way may try one of these. */
const ACCEPTED_ENCODINGS = { 'grpc-accept-encoding': ['identity', ...ENCODINGS].join(',') };
const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
/** The same as the runtime takes it without copying it. */
const HEADER_LIST = [':status', '200', 'content-type', 'application/grpc'];
const TRAILERS_ONLY = { endStream: true, sendDate: false };
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const OK_TRAILERS = { 'grpc-status': '0' };
/** How long the status of a call that is late may take to its client. */
const LAST_WORD_MS = 1_000;
