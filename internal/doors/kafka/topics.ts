import type { TopicLog } from '../../log/logs.ts';
import { internalTopicProblem, logNameProblem } from '../../log/names.ts';
import type { Isolation, PartitionLog } from '../../log/partition-log.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError, storeError } from './errors.ts';
import type { KafkaParts } from './handler.ts';

/** Topics in the order in which Kafka sorts them. */
export function topicsByName({ logs }: KafkaParts): TopicLog[] {
  return [...logs.topics()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Why there is no topic of this name. */
export function missingTopic(name: string): KafkaError {
  const problem = logNameProblem(name);
  return problem === undefined
    ? kafkaError(KafkaErrorCode.unknownTopicOrPartition, 'This server does not host this topic-partition.')
    : kafkaError(KafkaErrorCode.invalidTopicException, problem);
}

/** The topic that a request names, which many requests do by its id from some version on. */
export function askedTopic(
  { logs }: Pick<KafkaParts, 'logs'>,
  isById: boolean,
  { name, topicId }: { readonly name: string; readonly topicId: string },
): TopicLog | undefined {
  return isById ? logs.topicById(topicId) : logs.topic(name);
}

/** The error where there is no such topic. */
export function unknownTopic(isById: boolean): KafkaErrorCode {
  return isById ? KafkaErrorCode.unknownTopicId : KafkaErrorCode.unknownTopicOrPartition;
}

/** Why clients may not change this topic: it is one of Kafka's own. Undefined where they may. */
export function internalTopicError(name: string): KafkaError | undefined {
  const problem = internalTopicProblem(name);
  return problem === undefined ? undefined : kafkaError(KafkaErrorCode.invalidTopicException, problem);
}

/** The topic of this name, created if auto-creation is on. */
export async function topicOrNew(name: string, parts: KafkaParts): Promise<TopicLog | KafkaError> {
  const known = parts.logs.topic(name);
  if (known !== undefined) return known;
  if ((logNameProblem(name) ?? internalTopicProblem(name)) !== undefined) return missingTopic(name);
  try {
    return await parts.logs.topicOrNew(name, parts.settings.defaultPartitions);
  } catch (error) {
    // While a topic is being made, too, clients are told this one, and ask again.
    return storeError(error, KafkaErrorCode.leaderNotAvailable);
  }
}

/** The isolation that a request asks for. */
export function isolationOf({ isolationLevel }: { readonly isolationLevel: number }): Isolation {
  return isolationLevel === READ_COMMITTED ? 'committed' : 'uncommitted';
}

const READ_COMMITTED = 1;

/** The epoch that a client sends if it knows none. */
export const ANY_EPOCH = -1;

/**
 * The reason not to serve a partition here: another node leads it, or the client believes its leader to have another
 * epoch.
 */
export function leaderError(
  partition: PartitionLog,
  currentLeaderEpoch = ANY_EPOCH,
): KafkaErrorCode | undefined {
  if (partition.leader !== 'here') return KafkaErrorCode.notLeaderOrFollower;
  if (currentLeaderEpoch === ANY_EPOCH || currentLeaderEpoch === partition.leaderEpoch) return undefined;
  return currentLeaderEpoch < partition.leaderEpoch
    ? KafkaErrorCode.fencedLeaderEpoch
    : KafkaErrorCode.unknownLeaderEpoch;
}

/**
 * The same, after the store was asked: a client begins where it is told that a log ends, so a node that was replaced and does not know it
 * must not tell that.
 */
export async function confirmedLeaderError(
  partition: PartitionLog,
  currentLeaderEpoch?: number,
): Promise<KafkaErrorCode | undefined> {
  const error = leaderError(partition, currentLeaderEpoch);
  if (error !== undefined) return error;
  try {
    await partition.confirm();
    return leaderError(partition, currentLeaderEpoch);
  } catch (problem) {
    return storeError(problem).errorCode;
  }
}

/** Those that occur more than once, which Kafka refuses. */
export function duplicatesOf<T>(values: Iterable<T>): Set<T> {
  const seen = new Set<T>();
  const duplicates = new Set<T>();
  for (const value of values) {
    if (seen.has(value)) duplicates.add(value);
    seen.add(value);
  }
  return duplicates;
}

/** Stands for "not asked for". */
export const NO_OPERATIONS = -0x8000_0000;
