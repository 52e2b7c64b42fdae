import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { MessageReader } from '../../internal/protocol/grpc/envelope.ts';
import { readMessage } from '../../internal/protocol/grpc/read-message.ts';
import type { MessageOf, MessageType, NewMessageOf } from '../../internal/protocol/grpc/schema.ts';
import { encodeEnveloped } from '../../internal/protocol/grpc/write-message.ts';
import { SuhaibMessageQueue } from '../../internal/protocol/smq/smq.ts';

/** How a call ended. */
export interface CallEnd {
  status: number;
  message: string;
  headers: Record<string, unknown>;
}

/** A call of a test, which sends and receives what it is told to. */
export class TestCall<A extends MessageType> {
  readonly stream: ClientHttp2Stream;
  /** What came so far. */
  readonly responses: MessageOf<A>[] = [];
  readonly ended: Promise<CallEnd>;
  readonly #waiting: (() => void)[] = [];
  #isEnded = false;

  constructor(stream: ClientHttp2Stream, response: A) {
    this.stream = stream;
    const reader = new MessageReader(2 ** 31, (bytes, start, end) => {
      this.responses.push(readMessage(response, new Uint8Array(bytes.subarray(start, end))));
      this.#wake();
    });
    stream.on('data', (chunk: Uint8Array) => reader.push(chunk));
    this.ended = new Promise((resolve, reject) => {
      let headers: Record<string, unknown> = {};
      const end = (found: Record<string, unknown>) => {
        if (found['grpc-status'] === undefined) return;
        const message = decodeURIComponent(String(found['grpc-message'] ?? ''));
        stream.on('end', () => resolve({ status: Number(found['grpc-status']), message, headers }));
        stream.resume();
      };
      stream.on('response', (found) => {
        headers = found;
        end(found);
      });
      stream.on('trailers', end);
      stream.on('error', reject);
      stream.on('close', () => reject(new Error(`the stream closed with ${stream.rstCode}`)));
    });
    this.ended
      .catch(() => {})
      .finally(() => {
        this.#isEnded = true;
        this.#wake();
      });
  }

  /** Waits until so many responses came; fails where the call ends before. */
  async received(count: number): Promise<MessageOf<A>[]> {
    while (this.responses.length < count) {
      if (this.#isEnded) throw new Error(`the call ended after ${this.responses.length} responses`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.responses.slice(0, count);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A gRPC client of a test: nothing but HTTP/2 and the tables of the protocol. */
export class TestClient {
  readonly session: ClientHttp2Session;

  constructor(url: string, options: Parameters<typeof connect>[1] = {}) {
    const path = /^unix:\/\/(.*)$/.exec(url)?.[1];
    const where = path === undefined ? {} : { createConnection: () => connectSocket(path) };
    const address = path === undefined ? url.replace(/^grpc/, 'http') : 'http://localhost';
    this.session = connect(address, { ...where, ...options });
    this.session.on('error', () => {});
  }

  /** Opens a call of SMQ's service; nothing is sent but the headers. */
  open(method: string, headers: Record<string, string | string[]> = {}): TestCall<MessageType> {
    const type = SuhaibMessageQueue.methods.find(({ name }) => name === method)!;
    return this.openPath(`/${SuhaibMessageQueue.name}/${method}`, type.response, headers);
  }

  openPath<A extends MessageType>(
    path: string,
    response: A,
    headers: Record<string, string | string[]> = {},
  ): TestCall<A> {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    return new TestCall(stream, response);
  }

  /** Calls a method with messages, and ends the requests. */
  call(
    method: string,
    messages: readonly object[],
    headers: Record<string, string | string[]> = {},
  ): TestCall<MessageType> {
    const call = this.open(method, headers);
    for (const message of messages) call.stream.write(requestOf(method, message));
    call.stream.end();
    return call;
  }

  /** The one response of a method; an error with status and text where it fails. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows the method's response
  async unary(method: string, request: object, headers: Record<string, string> = {}): Promise<any> {
    const call = this.call(method, [request], headers);
    const { status, message } = await call.ended;
    if (status !== 0) throw new Error(`${status}: ${message}`);
    return call.responses[0];
  }

  close(): void {
    this.session.destroy();
  }
}

/** A request of SMQ's service, in its envelope. */
export function requestOf(method: string, message: object): Uint8Array {
  const type = SuhaibMessageQueue.methods.find(({ name }) => name === method)!;
  return encodeEnveloped(type.request, message as NewMessageOf<MessageType>);
}
