import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { Failure } from '../../lib/failure.ts';
import { maxGrpcMessageBytes } from '../../limits/grpc.ts';
import { MessageReader } from '../../protocol/grpc/envelope.ts';
import { readMessage } from '../../protocol/grpc/read-message.ts';
import type { MessageOf, MessageType } from '../../protocol/grpc/schema.ts';
import { Status } from '../../protocol/grpc/status.ts';
import { refusalOf } from './refusal.ts';

/** One call of gRPC as its client sees it. */
export class Call<Response extends MessageType> {
  /** Resolves when the call ended well or was cancelled here; rejects with Failure in all other cases. */
  readonly ended: Promise<void>;
  /** When the server last sent anything, on the clock of `performance.now()`. */
  heardAtMs = performance.now();
  readonly #stream: ClientHttp2Stream;
  #isCancelled = false;
  #failure: unknown;

  /**
   * @param onResponse takes a response; views in it are valid for a short time only.
   * @param whyClosed what is told where the connection is gone.
   */
  constructor(
    stream: ClientHttp2Stream,
    response: Response,
    onResponse: (response: MessageOf<Response>) => void,
    whyClosed: () => unknown,
  ) {
    this.#stream = stream;
    const reader = new MessageReader(maxGrpcMessageBytes, (bytes, start, end, isCompressed) => {
      if (this.#isCancelled) return;
      if (isCompressed) throw new Failure('the server compressed a response although nobody asked for that');
      onResponse(readMessage(response, bytes, start, end));
    });
    stream.on('data', (chunk: Uint8Array) => {
      this.heardAtMs = performance.now();
      if (this.#isCancelled) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.fail(error);
      }
    });
    this.ended = this.#end(reader, whyClosed);
    // Whoever writes may find out first, and look at the end only then.
    this.ended.catch(() => {});
  }

  /** Sends bytes. Returns when there is room for more; undefined where there is. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#stream.destroyed || this.#stream.writableEnded) return undefined;
    if (this.#stream.write(bytes)) return undefined;
    return new Promise((resolve) => {
      const settle = () => {
        this.#stream.off('drain', settle).off('close', settle);
        resolve();
      };
      this.#stream.on('drain', settle).on('close', settle);
    });
  }

  /** Says that there are no more requests. */
  halfClose(): void {
    if (!this.#stream.destroyed) this.#stream.end();
  }

  /** Takes nothing more from the server until there is room. */
  waitFor(room: Promise<void>): void {
    this.#stream.pause();
    room.then(() => {
      this.heardAtMs = performance.now();
      this.#stream.resume();
    });
  }

  /** Whether the server has a reason to be silent: nobody reads what it sends. */
  get isPaused(): boolean {
    return this.#stream.isPaused();
  }

  /** Ends the call; nothing is handed on from here on. */
  cancel(): void {
    this.#isCancelled = true;
    this.#stream.close(CANCEL);
  }

  /** Ends the call with an error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.cancel();
  }

  async #end(reader: MessageReader, whyClosed: () => unknown): Promise<void> {
    const found = await outcomeOf(this.#stream);
    if (this.#isCancelled && this.#failure === undefined) return;
    if (found.kind === 'foreign') {
      throw new Failure(`the server does not speak gRPC: it answered with ${found.what}`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (found.kind === 'status') {
      if (found.status !== Status.OK) throw refusalOf(found.status, found.message);
      if (!reader.isAtBoundary) throw new Failure('the last response of the server is cut off');
    } else {
      throw whyClosed();
    }
  }
}

/** RST_STREAM with CANCEL, as gRPC has it. */
const CANCEL = 8;

/** How a stream of HTTP/2 ended, in terms of gRPC. */
type Outcome =
  | { kind: 'status'; status: number; message: string }
  | { kind: 'foreign'; what: string }
  | { kind: 'closed' };

/** Resolves when the stream is over and everything that came has been read. */
function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    let outcome: Outcome = { kind: 'closed' };
    stream.on('response', (headers) => {
      const type = String(headers['content-type'] ?? 'nothing');
      if (headers['grpc-status'] !== undefined) {
        outcome = statusOf(headers);
      } else if (headers[':status'] !== 200 || !type.startsWith('application/grpc')) {
        outcome = { kind: 'foreign', what: `HTTP ${headers[':status']} and ${type}` };
        stream.close(CANCEL);
      }
    });
    stream.on('trailers', (trailers) => {
      if (outcome.kind === 'closed') outcome = statusOf(trailers);
    });
    // What the error is, the status or the connection says better.
    stream.on('error', () => {});
    stream.on('close', () => resolve(outcome));
    // A stream without data would otherwise never come to its end.
    stream.resume();
  });
}

function statusOf(headers: IncomingHttpHeaders): Outcome {
  const status = headers['grpc-status'];
  if (status === undefined) return { kind: 'foreign', what: 'no grpc-status' };
  return { kind: 'status', status: Number(status), message: decoded(String(headers['grpc-message'] ?? '')) };
}

/** The value of `grpc-message`; what is no percent-encoded UTF-8 stays as it came. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
