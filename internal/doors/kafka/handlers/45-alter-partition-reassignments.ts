import type { Nodes } from '../../../log/nodes.ts';
import { alterPartitionReassignments } from '../../../protocol/kafka/apis/45-alter-partition-reassignments.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { assignmentProblem } from '../nodes.ts';
import { duplicatesOf } from '../topics.ts';

type Asked = RequestOf<typeof alterPartitionReassignments>['topics'][number]['partitions'][number];

/** A partition may be moved to where it is; there is no other broker. */
export const alterPartitionReassignmentsHandler = defineHandler(
  alterPartitionReassignments,
  ({ topics, allowReplicationFactorChange }, { parts }) => {
    const responses = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((asked) => ({
        partitionIndex: asked.partitionIndex,
        ...outcomeOf(name, asked, parts),
      })),
    }));
    return { ...NO_ERROR, allowReplicationFactorChange, responses };
  },
  {
    first: {
      need: 'alter broker',
      refused: (error, { allowReplicationFactorChange }) => ({
        ...error,
        allowReplicationFactorChange,
        responses: [],
      }),
    },
  },
);

function outcomeOf(
  name: string,
  { partitionIndex, replicas }: Asked,
  { logs, nodes }: KafkaParts,
): KafkaError {
  const topic = logs.topic(name);
  if (topic === undefined) {
    return kafkaError(KafkaErrorCode.unknownTopicOrPartition, `there is no topic ${name}`);
  }
  if (topic.partitions[partitionIndex] === undefined) {
    const message = `there is no partition ${name}-${partitionIndex}`;
    return kafkaError(KafkaErrorCode.unknownTopicOrPartition, message);
  }
  if (replicas === null) {
    return kafkaError(KafkaErrorCode.noReassignmentInProgress, 'the partition is not being moved');
  }
  const problem = reassignmentProblem(replicas, nodes);
  return problem === undefined ? NO_ERROR : kafkaError(KafkaErrorCode.invalidReplicaAssignment, problem);
}

function reassignmentProblem(replicas: readonly number[], nodes: Nodes): string | undefined {
  if (replicas.length === 0) return 'a partition has at least one replica';
  if (nodes.others.length > 0) return assignmentProblem(replicas, nodes);
  const { brokerId } = nodes;
  const elsewhere = replicas.find((replica) => replica !== brokerId);
  if (elsewhere !== undefined) return `there is no broker ${elsewhere}; the only one is ${brokerId}`;
  return duplicatesOf(replicas).size > 0 ? `broker ${brokerId} is named more than once` : undefined;
}
