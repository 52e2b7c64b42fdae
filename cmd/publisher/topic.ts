import { UsageError } from '../../internal/config/program.ts';
import { isReservedTopic, topicNameProblem } from '../../internal/topic.ts';

/** @throws UsageError where the topic is missing or may not be published to. */
export function topicOf(topic: string | undefined): string {
  if (topic === undefined) throw new UsageError('-topic is missing: where to publish');
  const problem = topicNameProblem(topic);
  if (problem !== undefined) throw new UsageError(`-topic: ${problem}`);
  if (isReservedTopic(topic)) throw new UsageError('-topic: names that begin with $ belong to the broker');
  return topic;
}
