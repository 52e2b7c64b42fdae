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

/** Bytes may come out of another realm, as they do under test runners, where `instanceof` knows nothing of them. */
export function isBytes(payload: unknown): payload is Uint8Array {
  return payload instanceof Uint8Array || Object.prototype.toString.call(payload) === '[object Uint8Array]';
}

export function invalidPayload(payload: unknown): TinymqError {
  const what = Object.prototype.toString.call(payload).slice('[object '.length, -1);
  return new TinymqError('invalid-payload', `a payload is a string or a Uint8Array, not ${what}`);
}

/** A payload as bytes. @throws TinymqError `invalid-payload`. */
export function bytesOf(payload: string | Uint8Array): Uint8Array {
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (!isBytes(payload)) throw invalidPayload(payload);
  return payload;
}
