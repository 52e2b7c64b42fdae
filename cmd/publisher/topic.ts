import { reservedTopicProblem, topicNameProblem } from '../../internal/topic.ts';
import { UsageError } from '../cli/options/program.ts';

/** @throws UsageError where the topic is missing or may not be published to. */
export function topicOf(topic: string | undefined): string {
  if (topic === undefined) throw new UsageError('-topic is missing: where to publish');
  const problem = topicNameProblem(topic) ?? reservedTopicProblem(topic);
  if (problem !== undefined) throw new UsageError(`-topic: ${problem}`);
  return topic;
}
