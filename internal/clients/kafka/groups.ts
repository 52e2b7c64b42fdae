import { offsetCommit } from '../../protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../protocol/kafka/apis/09-offset-fetch.ts';
import { describeGroups } from '../../protocol/kafka/apis/15-describe-groups.ts';
import { listGroups } from '../../protocol/kafka/apis/16-list-groups.ts';
import { CONSUMER_PROTOCOL_TYPE, decodeAssignment } from '../../protocol/kafka/consumer-protocol.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { KafkaClient } from './client.ts';
import type { AnswerOf } from './connection.ts';
import type { TopicPartition } from './offsets.ts';
import { demand, KafkaRefusal } from './refusal.ts';

/** A group as ListGroups tells it. */
export type ListedGroup = AnswerOf<typeof listGroups>['groups'][number];
/** A group as DescribeGroups tells it. */
export type DescribedGroup = AnswerOf<typeof describeGroups>['groups'][number];
export type GroupMember = DescribedGroup['members'][number];

/** How far a group has read a partition. */
export interface CommittedOffset extends TopicPartition {
  offset: number;
}

/** Later versions name topics by their ids only. */
const LAST_VERSION_WITH_NAMES = 9;
/** What a commit says that is from no member. */
const NO_GENERATION = -1;

/** All groups of all brokers, sorted by name. */
export async function listedGroups(client: KafkaClient): Promise<ListedGroup[]> {
  await client.metadata([]);
  const answers = await Promise.all(
    client.brokers.map(async ({ nodeId }) => (await client.connectionTo(nodeId)).send(listGroups, {})),
  );
  const groups = new Map<string, ListedGroup>();
  for (const { errorCode, groups: found } of answers) {
    demand('the list of groups', errorCode);
    for (const group of found) groups.set(group.groupId, group);
  }
  return [...groups.values()].sort((one, other) => (one.groupId < other.groupId ? -1 : 1));
}

/**
 * State and members of a group; undefined where there is none, or none whose members Kafka describes in this way.
 *
 * @throws KafkaRefusal
 */
export function describedGroup(client: KafkaClient, groupId: string): Promise<DescribedGroup | undefined> {
  return client.retrying(async () => {
    const { groups } = await client.sendToCoordinator(groupId, describeGroups, { groups: [groupId] });
    const [group] = groups;
    if (group.errorCode === KafkaErrorCode.groupIdNotFound || group.groupState === 'Dead') return undefined;
    demand(`group '${groupId}'`, group.errorCode, group.errorMessage);
    return group;
  });
}

/** The partitions that a member was given. */
export function assignmentOf(group: DescribedGroup, member: GroupMember): TopicPartition[] {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE || member.memberAssignment.length === 0) return [];
  const { assignedPartitions } = decodeAssignment(member.memberAssignment);
  return assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

/**
 * How far a group has read, in all partitions that it ever committed.
 *
 * @throws KafkaRefusal
 */
export function committedOffsets(client: KafkaClient, groupId: string): Promise<CommittedOffset[]> {
  return client.retrying(async () => {
    const answer = await client.sendToCoordinator(
      groupId,
      offsetFetch,
      { groupId, topics: null, groups: [{ groupId, topics: null }] },
      { maxVersion: LAST_VERSION_WITH_NAMES },
    );
    const { errorCode, topics } = answer.groups[0] ?? answer;
    demand(`group '${groupId}'`, errorCode);
    const offsets = topics.flatMap(({ name, partitions }) =>
      partitions.flatMap(({ partitionIndex, committedOffset, errorCode }) => {
        demand(`partition ${partitionIndex} of topic '${name}'`, errorCode);
        return committedOffset < 0
          ? []
          : [{ topic: name, partition: partitionIndex, offset: committedOffset }];
      }),
    );
    return offsets.sort(byPartition);
  });
}

function byPartition(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1;
  return one.partition - other.partition;
}

/** Who commits: a member of the group in one of its generations. */
export interface Membership {
  generationId: number;
  memberId: string;
}

/**
 * Keeps how far a group has read.
 *
 * @param membership undefined where no member of the group does it, which Kafka takes while there are none.
 * @throws KafkaRefusal
 */
export async function commitOffsets(
  client: KafkaClient,
  groupId: string,
  offsets: readonly CommittedOffset[],
  membership: Membership = { generationId: NO_GENERATION, memberId: '' },
): Promise<void> {
  const topics = Map.groupBy(offsets, ({ topic }) => topic);
  const answer = await client.sendToCoordinator(
    groupId,
    offsetCommit,
    {
      groupId,
      generationIdOrMemberEpoch: membership.generationId,
      memberId: membership.memberId,
      topics: [...topics].map(([name, partitions]) => ({
        name,
        partitions: partitions.map(({ partition, offset }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedMetadata: '',
        })),
      })),
    },
    { maxVersion: LAST_VERSION_WITH_NAMES },
  );
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      demand(`group '${groupId}', partition ${partitionIndex} of topic '${name}'`, errorCode);
    }
  }
}

/** The refusal that says that there is no such group. */
export function noSuchGroup(groupId: string): KafkaRefusal {
  return new KafkaRefusal(`group '${groupId}'`, KafkaErrorCode.groupIdNotFound);
}
