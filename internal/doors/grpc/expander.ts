import { createGunzip, gunzipSync } from 'node:zlib';
import { grpcSyncExpandBytes } from '../../limits/grpc.ts';
import { GrpcError, Status } from '../../protocol/grpc/status.ts';

/** The call whose messages are expanded. */
export interface ExpandedCall {
  readonly isOver: boolean;
  readonly maxMessageBytes: number;
  deliver(bytes: Uint8Array, start: number, end: number): void;
  fail(error: unknown): void;
  hold(bytes: number): void;
  pause(): void;
  resume(): void;
}

/** The encodings of requests beside `identity`. */
export const ENCODINGS: readonly string[] = ['gzip'];

/**
 * Expands the compressed messages of one call, in their order. Short ones at once; long ones piece by piece beside the
 * event loop, counted as they grow, because what a message expands to is known only then.
 */
export class Expander {
  readonly #call: ExpandedCall;
  readonly #waiting: { bytes: Uint8Array; isCompressed: boolean }[] = [];
  #isBusy = false;
  #whenIdle: (() => void) | undefined;

  /** @throws GrpcError UNIMPLEMENTED where the encoding is not known. */
  constructor(call: ExpandedCall, encoding: string) {
    this.#call = call;
    if (!ENCODINGS.includes(encoding)) {
      throw new GrpcError(
        Status.UNIMPLEMENTED,
        `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
      );
    }
  }

  /** Whether a message is being expanded, so that those behind it have to wait here. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Calls back when everything that was taken is delivered. */
  whenIdle(callback: () => void): void {
    this.#whenIdle = callback;
  }

  /** Takes a message, and delivers it to the call after those before it. */
  take(bytes: Uint8Array, start: number, end: number, isCompressed: boolean): void {
    if (!this.#isBusy && isCompressed && end - start <= grpcSyncExpandBytes) {
      const expanded = this.#expandNow(bytes.subarray(start, end));
      this.#call.deliver(expanded, 0, expanded.length);
      return;
    }
    this.#call.hold(end - start);
    this.#waiting.push({ bytes: new Uint8Array(bytes.subarray(start, end)), isCompressed });
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#call.pause();
    this.#work();
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        if (this.#call.isOver) return;
        const expanded = next.isCompressed ? await this.#expand(next.bytes) : next.bytes;
        if (this.#call.isOver) return;
        this.#call.deliver(expanded, 0, expanded.length);
        this.#call.hold(-next.bytes.length);
        if (next.isCompressed && !this.#call.isOver) this.#call.hold(-expanded.length);
      }
    } catch (error) {
      this.#call.fail(error);
      return;
    }
    this.#isBusy = false;
    this.#call.resume();
    this.#whenIdle?.();
  }

  #expandNow(bytes: Uint8Array): Uint8Array {
    try {
      return gunzipSync(bytes, { maxOutputLength: this.#call.maxMessageBytes });
    } catch (error) {
      throw this.#refusal(error as NodeJS.ErrnoException);
    }
  }

  /** The call holds the memory of the bytes that are returned. */
  async #expand(bytes: Uint8Array): Promise<Uint8Array> {
    const pieces: Buffer[] = [];
    let length = 0;
    const gunzip = createGunzip({ chunkSize: PIECE_BYTES });
    gunzip.end(bytes);
    try {
      for await (const piece of gunzip as AsyncIterable<Buffer>) {
        if (this.#call.isOver) break;
        length += piece.length;
        if (length > this.#call.maxMessageBytes) throw this.#tooLarge();
        this.#call.hold(piece.length);
        pieces.push(piece);
      }
    } catch (error) {
      throw error instanceof GrpcError ? error : this.#refusal(error as NodeJS.ErrnoException);
    }
    const [first] = pieces;
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces, length);
  }

  #refusal(error: NodeJS.ErrnoException): GrpcError {
    if (error.code === 'ERR_BUFFER_TOO_LARGE') return this.#tooLarge();
    return new GrpcError(
      Status.INTERNAL,
      `grpc: failed to decompress the received message: ${error.message}`,
    );
  }

  #tooLarge(): GrpcError {
    return new GrpcError(
      Status.RESOURCE_EXHAUSTED,
      `grpc: received message after decompression larger than max ${this.#call.maxMessageBytes}`,
    );
  }
}

const PIECE_BYTES = 64 * 1024;
