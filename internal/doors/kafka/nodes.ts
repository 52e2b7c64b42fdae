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
  const found = new Map<number, Endpoint>([
    [nodes.brokerId, { nodeId: nodes.brokerId, ...client.advertised, rack: null }],
  ]);
  for (const { kafka } of nodes.others) {
    if (kafka === undefined) continue;
    const { host, port, brokerId: nodeId } = kafka;
    // One that was killed and has come back is heard of twice for a moment.
    if (!found.has(nodeId)) found.set(nodeId, { nodeId, host, port, rack: null });
  }
  return [...found.values()];
}

/** Those of some numbers. */
export function endpointsOf(ids: ReadonlySet<number> | undefined, asked: Asked): Endpoint[] {
  return ids === undefined ? [] : endpoints(asked).filter(({ nodeId }) => ids.has(nodeId));
}

export const NO_NODE = -1;

/** By which clients know a node: -1 for none, or for one that they cannot reach. */
export function idOf(leader: Leader, { brokerId, others }: Nodes): number {
  if (leader === 'here') return brokerId;
  return others.find(({ id }) => id === leader)?.kafka?.brokerId ?? NO_NODE;
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

function replicasLedBy(leaderId: number, nodes: Nodes): number[] {
  const replicas = new Set([leaderId, nodes.brokerId]);
  for (const { id } of nodes.others) replicas.add(idOf(id, nodes));
  replicas.delete(NO_NODE);
  return [...replicas];
}

/** Why a partition cannot be assigned to these brokers; undefined where it can. */
export function assignmentProblem(
  brokerIds: readonly number[],
  { brokerId, others }: Nodes,
): string | undefined {
  if (others.length > 0) return 'the brokers decide among themselves which of them leads a partition';
  return brokerIds.length === 1 && brokerIds[0] === brokerId
    ? undefined
    : `every partition is assigned to broker ${brokerId}, which is the only one`;
}
