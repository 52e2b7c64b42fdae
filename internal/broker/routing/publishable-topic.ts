import { BrokerError, quoted } from '../../errors.ts';
import { reservedTopicProblem, topicNameProblem } from '../../topic.ts';

/**
 * Whether clients may publish to a topic of this name at all, whatever the rules say.
 *
 * @param what the topic is, in the words of the refusal.
 * @throws BrokerError `invalid-topic`, `reserved-topic`.
 */
export function checkPublishable(topic: string, what = 'topic'): void {
  const problem = topicNameProblem(topic);
  if (problem !== undefined)
    throw new BrokerError('invalid-topic', `${what} ${quoted(topic)}: ${problem}`, { topic });
  const reserved = reservedTopicProblem(topic);
  if (reserved !== undefined)
    throw new BrokerError('reserved-topic', `${what} ${quoted(topic)}: ${reserved}`, { topic });
}
