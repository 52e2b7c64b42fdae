import { readMessage } from '../../protocol/grpc/read-message.ts';
import type { MessageOf, MessageType, NewMessageOf } from '../../protocol/grpc/schema.ts';
import { GrpcError, Status } from '../../protocol/grpc/status.ts';
import { encodeEnveloped } from '../../protocol/grpc/write-message.ts';
import type { Call, CallHandler, OpenCall } from './call.ts';

/** A method with one request and one response. */
export function unary<Q extends MessageType, A extends MessageType>(
  request: Q,
  response: A,
  handle: (request: MessageOf<Q>, call: Call) => NewMessageOf<A> | Promise<NewMessageOf<A>>,
): OpenCall {
  return (call) => new UnaryCall(call, request, response, handle);
}

/** Takes the one request of a call; what it does with it is for others to say. */
export abstract class OneRequest implements CallHandler {
  protected readonly call: Call;
  #hasRequest = false;

  constructor(call: Call) {
    this.call = call;
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    if (this.#hasRequest) throw new GrpcError(Status.UNIMPLEMENTED, 'this method takes one request message');
    this.#hasRequest = true;
    this.request(bytes, start, end);
  }

  halfClosed(): void {
    if (!this.#hasRequest) throw new GrpcError(Status.UNIMPLEMENTED, 'this method needs a request message');
  }

  over(): void {}

  closing(): void {}

  /** The bytes are right until this returns. */
  protected abstract request(bytes: Uint8Array, start: number, end: number): void;
}

class UnaryCall<Q extends MessageType, A extends MessageType> extends OneRequest {
  readonly #request: Q;
  readonly #response: A;
  readonly #handle: (request: MessageOf<Q>, call: Call) => NewMessageOf<A> | Promise<NewMessageOf<A>>;

  constructor(
    call: Call,
    request: Q,
    response: A,
    handle: (request: MessageOf<Q>, call: Call) => NewMessageOf<A> | Promise<NewMessageOf<A>>,
  ) {
    super(call);
    this.#request = request;
    this.#response = response;
    this.#handle = handle;
  }

  protected override request(bytes: Uint8Array, start: number, end: number): void {
    const answer = this.#handle(readMessage(this.#request, bytes, start, end), this.call);
    if (answer instanceof Promise) {
      answer.then(
        (late) => this.#answer(late),
        (error) => this.call.fail(error),
      );
    } else this.#answer(answer);
  }

  #answer(answer: NewMessageOf<A>): void {
    this.call.answer(encodeEnveloped(this.#response, answer));
  }
}
