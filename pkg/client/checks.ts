import { MAX_CLIENT_ID_BYTES } from '../../internal/protocol/frame/frame.ts';
import { reservedTopicProblem, topicNameProblem } from '../../internal/topic.ts';
import { InvalidTopicError, TinymqError } from './errors.ts';

/** @throws InvalidTopicError where a client may not publish to a topic. */
export function checkTopic(topic: string): void {
  const problem = topicNameProblem(topic) ?? reservedTopicProblem(topic);
  if (problem !== undefined) throw new InvalidTopicError('topic', topic, problem);
}

/** @throws TinymqError `invalid-client-id`. */
export function checkClientId(clientId: string): void {
  const size = new TextEncoder().encode(clientId).length;
  if (size === 0 || size > MAX_CLIENT_ID_BYTES || clientId.includes('\0')) {
    const rule = `a client id is 1 to ${MAX_CLIENT_ID_BYTES} bytes without NUL`;
    throw new TinymqError('invalid-client-id', rule);
  }
}
