import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { ENVELOPE_BYTES } from '../../../internal/protocol/grpc/envelope.ts';
import { readMessage } from '../../../internal/protocol/grpc/read-message.ts';
import type { MessageOf, MessageType, NewMessageOf } from '../../../internal/protocol/grpc/schema.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { SuhaibMessageQueue } from '../../../internal/protocol/smq/smq.ts';

/** What clients that measure the way to their server come to where it is short. */
const WINDOW_BYTES = 1024 * 1024;

/** A connection to a gRPC listener. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;
  readonly #authority: string;

  constructor(port: number) {
    this.#authority = `127.0.0.1:${port}`;
    this.#session = connect(`http://${this.#authority}`, { settings: { initialWindowSize: WINDOW_BYTES } });
    this.#session.on('connect', () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    // Every call says so as well.
    this.#session.on('error', () => {});
  }

  /** A call of which nothing was sent but its headers. */
  open(method: string): ClientHttp2Stream {
    return this.#session.request({
      ':method': 'POST',
      ':path': `/${SuhaibMessageQueue.name}/${method}`,
      ':scheme': 'http',
      ':authority': this.#authority,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
  }

  /**
   * Calls with one request in its envelope, and waits for the end of the answer, which it returns as it came.
   *
   * @throws Error where the call fails.
   */
  callRaw(method: string, request: Uint8Array): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      const stream = this.open(method);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      rejectOnFailure(stream, reject);
      stream.on('end', () => resolve(chunks));
      stream.end(request);
    });
  }

  /** @throws Error where the call fails. */
  async call<Q extends MessageType, A extends MessageType>(
    method: string,
    types: { request: Q; response: A },
    request: NewMessageOf<Q>,
  ): Promise<MessageOf<A>> {
    const answer = await this.callRaw(method, encodeEnveloped(types.request, request));
    return readMessage(types.response, Buffer.concat(answer).subarray(ENVELOPE_BYTES));
  }

  close(): void {
    this.#session.destroy();
  }
}

/** A status that is not OK, and a stream that ends without one, is a failure. */
export function rejectOnFailure(stream: ClientHttp2Stream, reject: (error: Error) => void): void {
  const look = (headers: Record<string, unknown>): void => {
    const status = headers['grpc-status'];
    if (status !== undefined && status !== '0') {
      reject(new Error(`status ${status}: ${decodeURIComponent(String(headers['grpc-message'] ?? ''))}`));
    }
  };
  stream.on('response', look);
  stream.on('trailers', look);
  stream.on('error', reject);
  stream.on('close', () => reject(new Error(`the call ended early, with ${stream.rstCode}`)));
}
