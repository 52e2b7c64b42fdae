import type { GroupOffset, OffsetsByTopic } from '../../../groups/committed-offsets.ts';
import type { Logs } from '../../../log/logs.ts';
import { offsetFetch } from '../../../protocol/kafka/apis/09-offset-fetch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import { defineHandler } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';

/** Tells how far groups have read: -1 where nothing was committed, also for a group that is not there. */
export const offsetFetchHandler = defineHandler(
  offsetFetch,
  async (request, { version, parts, access }) => {
    const { logs, groups } = parts;
    if (version < FIRST_VERSION_WITH_SEVERAL_GROUPS) {
      const denial = access.groupRefusal('describe', request.groupId);
      if (denial !== undefined) return refusedGroup(request.topics ?? [], denial, version);
      const offsets = await groups.offsets(request.groupId, request.requireStable);
      if (typeof offsets === 'string')
        return refusedGroup(request.topics ?? [], kafkaError(KafkaErrorCode[offsets]), version);
      const asked = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID }));
      return {
        topics: answerTopics(asked ?? everything(offsets, logs, access), offsets, logs, access, false),
      };
    }
    const isById = version >= FIRST_VERSION_WITH_TOPIC_IDS;
    return {
      groups: await Promise.all(
        withoutRepeats(request.groups).map(async ({ groupId, topics }) => {
          const denial = access.groupRefusal('describe', groupId);
          if (denial !== undefined) return { groupId, errorCode: denial.errorCode, topics: [] };
          const offsets = await groups.offsets(groupId, request.requireStable);
          if (typeof offsets === 'string') return { groupId, errorCode: KafkaErrorCode[offsets], topics: [] };
          const asked = topics ?? everything(offsets, logs, access);
          return { groupId, topics: answerTopics(asked, offsets, logs, access, isById) };
        }),
      ),
    };
  },
  { needs: ['describe group', 'describe topic'] },
);

const FIRST_VERSION_WITH_SEVERAL_GROUPS = 8;
const FIRST_VERSION_WITH_TOPIC_IDS = 10;

/** Everything of a group is told once, however often it is asked for: a few bytes ask for much. */
function withoutRepeats<Asked extends { groupId: string; topics: unknown }>(
  groups: readonly Asked[],
): Asked[] {
  const told = new Set<string>();
  return groups.filter(({ groupId, topics }) => {
    if (topics !== null) return true;
    const isFirst = !told.has(groupId);
    told.add(groupId);
    return isFirst;
  });
}

interface AskedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

/** All that a group committed and the client may see, as if it had been asked for. */
function everything(offsets: OffsetsByTopic, logs: Logs, access: RequestAccess): AskedTopic[] {
  const asked: AskedTopic[] = [];
  for (const [name, partitions] of offsets) {
    const topicId = logs.topic(name)?.topicId;
    if (topicId === undefined || !access.mayTopic('describe', name)) continue;
    asked.push({ name, topicId, partitionIndexes: [...partitions.keys()] });
  }
  return asked;
}

function answerTopics(
  asked: readonly AskedTopic[],
  offsets: OffsetsByTopic,
  logs: Logs,
  access: RequestAccess,
  isById: boolean,
) {
  return asked.map(({ name, topicId, partitionIndexes }) => {
    const topicName = isById ? logs.topicById(topicId)?.name : name;
    const errorCode =
      topicName === undefined
        ? KafkaErrorCode.unknownTopicId
        : (access.topicRefusal('describe', topicName)?.errorCode ?? KafkaErrorCode.none);
    const isSeen = topicName !== undefined && errorCode === KafkaErrorCode.none;
    const committed = isSeen ? offsets.get(topicName) : undefined;
    return {
      name,
      topicId,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        ...answerOffset(committed?.get(partitionIndex)),
        errorCode,
      })),
    };
  });
}

/** Before version 2 there is no place for an error but the partitions. */
function refusedGroup(
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[],
  { errorCode }: KafkaError,
  version: number,
) {
  const refused = topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      ...answerOffset(undefined),
      errorCode,
    })),
  }));
  return version < FIRST_VERSION_WITH_ERROR ? { topics: refused } : { errorCode, topics: refused };
}

const FIRST_VERSION_WITH_ERROR = 2;

function answerOffset(committed: GroupOffset | undefined) {
  if (committed === undefined) return { committedOffset: -1, committedLeaderEpoch: -1, metadata: '' };
  const { offset, leaderEpoch, metadata } = committed;
  return { committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata };
}
