import type { Access } from '../../../access/access.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { encodeProduceResponse } from '../../../protocol/smq/responses.ts';
import type { Call, OpenCall } from '../call.ts';
import { OneRequest } from '../one-request.ts';
import type { Appenders, AppendWaiter } from './appender.ts';
import { ProducedTopic } from './produced-topic.ts';
import { FIRST_OFFSET, type Topics } from './topics.ts';

/** Produce: one message, answered with its offset once it is durable. */
export function produce(topics: Topics, appenders: Appenders): OpenCall {
  const topicOf = new WeakMap<Access, ProducedTopic>();
  return (call) => {
    topics.checkWrites();
    const { access } = call;
    let topic = topicOf.get(access);
    if (topic === undefined) {
      topic = new ProducedTopic(call, topics, appenders);
      topicOf.set(access, topic);
    }
    return new ProduceCall(call, topic);
  };
}

class ProduceCall extends OneRequest implements AppendWaiter {
  readonly #topic: ProducedTopic;

  constructor(call: Call, topic: ProducedTopic) {
    super(call);
    this.#topic = topic;
  }

  appended(_topic: TopicLog, lastOffset: number): void {
    this.call.answer(encodeProduceResponse(lastOffset + FIRST_OFFSET));
  }

  appendFailed(error: unknown): void {
    this.call.fail(error);
  }

  protected override request(bytes: Uint8Array, start: number, end: number): void {
    // It is released with all that the call holds, when the call is over.
    this.call.hold(end - start);
    this.#topic.append(bytes, start, end, this, this.call);
  }
}
