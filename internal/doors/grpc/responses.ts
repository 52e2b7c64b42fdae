import { grpcSmallUnsentBytes } from '../../limits/grpc.ts';
import { type GrpcError, Status } from '../../protocol/grpc/status.ts';
import type { EncodedField } from '../../protocol/http2/hpack/encoder.ts';
import { Http2Code } from '../../protocol/http2/http2-error.ts';
import type { Http2Stream } from './http2/stream.ts';
import { ACCEPTED_ENCODINGS, OK_TRAILERS, once, RESPONSE_FIELDS, trailersOf } from './response-fields.ts';
import type { Sender, Unsent } from './unsent.ts';

/** The responding half of a call's stream: headers, messages, status. What its client has not taken is counted. */
export class Responses implements Sender {
  readonly #stream: Http2Stream;
  readonly #unsent: Unsent;
  readonly #onEvict: () => void;
  #metadata: readonly EncodedField[] | undefined;
  #readBytes = 0;
  #lastWordTimer: NodeJS.Timeout | undefined;

  /** @param onEvict is called where the client takes nothing and others wait for the room. */
  constructor(stream: Http2Stream, unsent: Unsent, onEvict: () => void) {
    this.#stream = stream;
    this.#unsent = unsent;
    this.#onEvict = onEvict;
  }

  /** Whether nothing can be sent any more. */
  get isGone(): boolean {
    return this.#stream.isGone;
  }

  /** Adds to the headers, which were not sent yet. */
  addMetadata(pairs: readonly (readonly [name: string, value: string])[]): void {
    if (pairs.length > 0) this.#metadata = pairs.map(([name, value]) => once(name, value));
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
    this.#stream.write(pieces, (taken, isAll) => {
      this.#unsent.release(this, taken);
      if (isAll) written();
    });
  }

  /** So much was read for the client, instead of what it was before; it counts as unsent until there is something else. */
  setReadBytes(bytes: number): void {
    this.#unsent.release(this, this.#readBytes);
    this.#readBytes = bytes;
    this.#unsent.hold(this, bytes);
  }

  /** Whether {@link finish} may take a response; what is longer is to be written before. */
  isShort(response: Uint8Array): boolean {
    // A short message counts as sent.
    return response.length <= grpcSmallUnsentBytes;
  }

  /** Sends a last response, if there is one, and the status OK. */
  finish(response?: Uint8Array): void {
    this.#respond();
    if (response !== undefined) this.#stream.write([response]);
    this.#stream.end(OK_TRAILERS);
  }

  /** Sends the status of an error, behind what was sent. */
  fail({ status, message }: GrpcError): void {
    const stream = this.#stream;
    const trailers = trailersOf(status, message);
    if (stream.send.hasHeaders) {
      stream.end(trailers);
      // A client that takes nothing does not take the status behind it either.
      if (status === Status.DEADLINE_EXCEEDED && stream.send.unsentBytes > 0) this.#resetSoon();
      return;
    }
    const accepted = status === Status.UNIMPLEMENTED ? [ACCEPTED_ENCODINGS] : NO_FIELDS;
    stream.respond([...RESPONSE_FIELDS, ...accepted, ...trailers]);
    stream.end();
  }

  /** Called when the stream is gone. */
  forget(): void {
    clearTimeout(this.#lastWordTimer);
    this.#unsent.forget(this);
  }

  evict(): void {
    this.#onEvict();
    this.#stream.reset(Http2Code.ENHANCE_YOUR_CALM);
  }

  #respond(): void {
    if (this.#stream.send.hasHeaders) return;
    const metadata = this.#metadata;
    this.#stream.respond(metadata === undefined ? RESPONSE_FIELDS : [...RESPONSE_FIELDS, ...metadata]);
  }

  #resetSoon(): void {
    this.#lastWordTimer = setTimeout(() => this.#stream.reset(Http2Code.CANCEL), LAST_WORD_MS);
  }
}

const NO_FIELDS: readonly EncodedField[] = [];
/** The time that the status of a call that is late may take to its client. */
const LAST_WORD_MS = 1_000;
