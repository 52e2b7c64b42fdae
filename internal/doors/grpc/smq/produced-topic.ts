import type { Access } from '../../../access/access.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { textOf } from '../../../protocol/grpc/read-message.ts';
import { ProduceRequestCursor } from '../../../protocol/smq/produce-request.ts';
import type { Call } from '../call.ts';
import type { CallPeer } from '../context.ts';
import type { Appenders, AppendWaiter, TopicAppender } from './appender.ts';
import type { Topics } from './topics.ts';

/** Appends requests of one client to the topics that they name, and remembers the last: most name only one. */
export class ProducedTopic {
  readonly #peer: CallPeer;
  readonly #access: Access;
  readonly #topics: Topics;
  readonly #appenders: Appenders;
  #name = NOTHING;
  /** When it was asked whether the client may write there. */
  #accessEpoch = -1;
  #topic: TopicLog | undefined;
  #appender: TopicAppender | undefined;

  constructor({ peer, access }: Call, topics: Topics, appenders: Appenders) {
    this.#peer = peer;
    this.#access = access;
    this.#topics = topics;
    this.#appenders = appenders;
  }

  /** The topic of the last message. */
  get current(): TopicLog | undefined {
    return this.#topic;
  }

  /**
   * Appends the message of a ProduceRequest. Returns the bytes of memory that it takes until it is durable.
   *
   * @throws GrpcError as {@link Topics.toWrite} and {@link TopicAppender.append}; ProtobufError.
   */
  append(
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: AppendWaiter,
    { recordHeaders, span }: Pick<Call, 'recordHeaders' | 'span'>,
  ): number {
    cursor.read(bytes, start, end);
    const { topicStart, topicEnd, messageStart, messageEnd } = cursor;
    if (!this.#isSameTopic(bytes, topicStart, topicEnd)) this.#findTopic(bytes, topicStart, topicEnd);
    const heldBytes = this.#appender!.append(bytes, messageStart, messageEnd, waiter, recordHeaders);
    if (span !== undefined) {
      span.topic = this.#topic;
      span.messages++;
    }
    this.#peer.tookMessage();
    return heldBytes;
  }

  #isSameTopic(bytes: Uint8Array, start: number, end: number): boolean {
    const name = this.#name;
    if (this.#topic === undefined || end - start !== name.length) return false;
    if (this.#accessEpoch !== this.#access.epoch) return false;
    for (let index = 0; index < name.length; index++) if (bytes[start + index] !== name[index]) return false;
    return this.#topics.isCurrent(this.#topic);
  }

  #findTopic(bytes: Uint8Array, start: number, end: number): void {
    this.#accessEpoch = this.#access.epoch;
    const topic = this.#topics.toWrite(textOf(bytes, start, end), this.#access);
    this.#name = new Uint8Array(bytes.subarray(start, end));
    this.#topic = topic;
    this.#appender = this.#appenders.of(topic);
  }
}

const NOTHING = new Uint8Array(0);
/** One is enough: what it found is used before anything else is read. */
const cursor = new ProduceRequestCursor();
