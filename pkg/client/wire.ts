import type { Address } from './address.ts';
import type { QueueFile } from './queue-file.ts';

/** Who receives what happens on a {@link Wire}. */
export interface WireHandler {
  /** A chunk of the stream, cut anywhere; nobody writes these bytes again. */
  bytes(chunk: Uint8Array): void;
  /** {@link Wire.write} said false, and now there is room again. */
  drained(): void;
  /** The connection is gone; called once, and nothing after it. */
  closed(error?: Error): void;
}

/** An open stream of bytes to a broker. */
export interface Wire {
  handler: WireHandler;
  /** Takes all of it, in order; false where it would rather wait for `drained`. */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Stops reading, so that the broker has to wait. A browser cannot. */
  pause(): void;
  resume(): void;
  /** Bytes that were written and have not gone out yet. */
  readonly pendingBytes: number;
  /** Sends what was written, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** What TLS needs; PEM text or bytes. */
export interface TlsOptions {
  /** Who signed the broker's certificate, where it is not one of the system's authorities. */
  ca?: string | Uint8Array;
  /** The client's own certificate and key, for a broker that asks for one. */
  cert?: string | Uint8Array;
  key?: string | Uint8Array;
  /** The name that the broker's certificate must have; default: the host of the address. */
  serverName?: string;
  /** Connect even if the certificate cannot be verified. For tests: anybody can be in between. */
  insecure?: boolean;
}

/** What differs between Node and a browser. */
export interface Platform {
  /**
   * Opens a stream.
   *
   * @param signal aborts the attempt.
   * @param maxChunkBytes the largest unit that the transport itself may put together before it hands it on.
   * @throws an Error whose message is a short reason, such as `connection refused`.
   */
  open(address: Address, tls: TlsOptions, signal: AbortSignal, maxChunkBytes: number): Promise<Wire>;
  /** Whether a stream to this address can stop reading. */
  canPause(address: Address): boolean;
  /** Calls back at the end of this turn of the event loop. */
  defer(callback: () => void): void;
  /** Opens the file of a queue; undefined where there are no files. @throws QueueFileError, TinymqError. */
  openQueue?: ((path: string, clientId: string) => QueueFile) | undefined;
  /** Lets the process end although this timer runs; a browser has no such thing. */
  unref(timer: ReturnType<typeof setTimeout>): void;
}

export const NO_HANDLER: WireHandler = { bytes() {}, drained() {}, closed() {} };
