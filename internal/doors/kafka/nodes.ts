import type { Leader } from '../../log/leadership.ts';
import type { Nodes } from '../../log/nodes.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { RequestContext } from './handler.ts';

/** A broker in an answer. */
export interface Endpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: null;
}

type Asked = Pick<RequestContext, 'parts' | 'client'>;

/** The brokers that a client may ask, the one that it does ask first. */
export function endpoints({ parts: { nodes }, client }: Asked): Endpoint[] {
  const found: Endpoint[] = [{ nodeId: nodes.self, ...client.advertised, rack: null }];
  for (const { id, kafka } of nodes.others) {
    if (kafka !== undefined) found.push({ nodeId: id, ...kafka, rack: null });
  }
  return found;
}

/** Those of some numbers. */
export function endpointsOf(ids: ReadonlySet<number> | undefined, asked: Asked): Endpoint[] {
  return ids === undefined ? [] : endpoints(asked).filter(({ nodeId }) => ids.has(nodeId));
}

export const NO_NODE = -1;

/** The number of a node as clients may be told it: -1 for none, or for one that they cannot reach. */
export function idOf(leader: Leader, { self, others }: Nodes): number {
  if (leader === 'here') return self;
  return others.some(({ id, kafka }) => id === leader && kafka !== undefined) ? (leader as number) : NO_NODE;
}

/** The leader of a partition, for clients that go on there without asking for metadata first (KIP-951). */
export function currentLeader(partition: PartitionLog, nodes: Nodes) {
  return { leaderId: idOf(partition.leader, nodes), leaderEpoch: partition.leaderEpoch };
}

/**
 * The leader of a partition as Metadata names it: Kafka's clients ask again while nobody leads it. Every node can lead what they
 * all share, so each counts as a replica.
 */
export function leaderState(partition: PartitionLog, nodes: Nodes) {
  const { leaderId, leaderEpoch } = currentLeader(partition, nodes);
  const isLed = leaderId !== NO_NODE;
  const replicas = isLed ? replicasLedBy(leaderId, nodes) : [];
  return {
    errorCode: isLed ? KafkaErrorCode.none : KafkaErrorCode.leaderNotAvailable,
    ...{ leaderId, leaderEpoch, replicaNodes: replicas, isrNodes: replicas, offlineReplicas: [] },
  };
}

function replicasLedBy(leaderId: number, { self, others }: Nodes): number[] {
  const replicas = [leaderId];
  if (others.length === 0) return replicas;
  if (self !== leaderId) replicas.push(self);
  for (const { id, kafka } of others) if (id !== leaderId && kafka !== undefined) replicas.push(id);
  return replicas;
}

/** Why a partition cannot be assigned to these brokers; undefined where it can. */
export function assignmentProblem(brokerIds: readonly number[], { self, others }: Nodes): string | undefined {
  if (others.length > 0) return 'the brokers decide among themselves which of them leads a partition';
  return brokerIds.length === 1 && brokerIds[0] === self
    ? undefined
    : `every partition is assigned to broker ${self}, which is the only one`;
}
