import { shutdownQuietMs } from '../../../limits/doors.ts';
import { grpcStreamWaitingBytes } from '../../../limits/grpc.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { encodeProduceResponse } from '../../../protocol/smq/responses.ts';
import type { Budget } from '../budget.ts';
import type { Call, CallHandler, OpenCall } from '../call.ts';
import { SHUTTING_DOWN } from '../errors.ts';
import type { Appenders, AppendWaiter } from './appender.ts';
import { ProducedTopic } from './produced-topic.ts';
import { FIRST_OFFSET, type Topics } from './topics.ts';

/** StreamProduce: any number of messages, answered once, when the last one is durable, with its offset. */
export function streamProduce(topics: Topics, appenders: Appenders): OpenCall {
  return (call) => {
    topics.checkWrites();
    return new StreamProduceCall(call, new ProducedTopic(call, topics, appenders));
  };
}

class StreamProduceCall implements CallHandler, AppendWaiter {
  readonly #call: Call;
  readonly #topic: ProducedTopic;
  /** The bytes on their way to the disk; 0 only where there are none. */
  #waitingBytes = 0;
  #offset = 0;
  #isPaused = false;
  #isHalfClosed = false;
  #failure: unknown;
  #quiet: NodeJS.Timeout | undefined;

  constructor(call: Call, topic: ProducedTopic) {
    this.#call = call;
    this.#topic = topic;
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    this.#quiet?.refresh();
    // The first message that cannot be taken ends the call; what came before it stays.
    if (this.#failure !== undefined) return;
    try {
      const heldBytes = this.#topic.append(bytes, start, end, this, this.#call);
      this.#waitingBytes += heldBytes;
      this.#waiting.hold(heldBytes);
    } catch (error) {
      this.#failWhenStored(error);
      return;
    }
    if (this.#isPaused || !this.#isTooMuch()) return;
    this.#isPaused = true;
    this.#call.pause();
  }

  halfClosed(): void {
    this.#isHalfClosed = true;
    if (this.#waitingBytes === 0) this.#settle();
  }

  over(): void {
    clearTimeout(this.#quiet);
  }

  /** Messages that are under way are still taken, until the client ends the call or is quiet. */
  closing(): void {
    this.#quiet = setTimeout(() => this.#endWhereQuiet(), shutdownQuietMs);
  }

  appended(topic: TopicLog, lastOffset: number, heldBytes: number): void {
    // Of several topics, the one of the last message says the offset that is answered.
    if (topic === this.#topic.current) this.#offset = lastOffset + FIRST_OFFSET;
    this.#stored(heldBytes);
  }

  appendFailed(error: unknown, heldBytes: number): void {
    this.#failure ??= error;
    this.#stored(heldBytes);
  }

  #endWhereQuiet(): void {
    if (this.#waitingBytes > 0 || this.#isPaused) this.#quiet?.refresh();
    else this.#call.fail(new GrpcError(Status.UNAVAILABLE, SHUTTING_DOWN));
  }

  #stored(heldBytes: number): void {
    this.#waitingBytes -= heldBytes;
    this.#waiting.release(heldBytes);
    if (this.#isPaused && !this.#isTooMuch()) {
      this.#isPaused = false;
      this.#call.resume();
    }
    if (this.#waitingBytes === 0) this.#settle();
  }

  /** Nothing is on its way to the disk. */
  #settle(): void {
    if (this.#failure !== undefined) this.#call.fail(this.#failure);
    else if (this.#isHalfClosed) this.#call.answer(encodeProduceResponse(this.#offset));
  }

  #failWhenStored(error: unknown): void {
    this.#failure = error;
    if (this.#waitingBytes === 0) this.#settle();
  }

  #isTooMuch(): boolean {
    if (this.#waitingBytes >= grpcStreamWaitingBytes) return true;
    return this.#waitingBytes > 0 && this.#waiting.wouldExceed(0);
  }

  get #waiting(): Budget {
    return this.#call.peer.context.waiting;
  }
}
