import type { Msg } from '@nats-io/transport-node';
import { beatListenMs } from '../../limits/cluster.ts';
import { listen } from '../foreign-messages.ts';
import { beatOf } from '../peers.ts';
import { type Look, type LookOptions, type ServerStatus, withLook } from './look.ts';
import { type ShardOwner, type StreamStatus, shardOwner, streamsOf } from './streams.ts';

export interface NodeStatus {
  readonly node: number;
  /** Where Kafka's clients reach it. */
  readonly kafka: string | undefined;
  /** Shards that it owns. */
  readonly shards: readonly number[];
}

/** A cluster, as NATS knows it: no broker is asked. */
export interface ClusterStatus {
  readonly name: string;
  readonly servers: readonly ServerStatus[];
  /** Brokers that were heard. */
  readonly nodes: readonly NodeStatus[];
  readonly streams: readonly (StreamStatus & { readonly owner: ShardOwner | undefined })[];
  /** What somebody should see to, each a sentence. */
  readonly problems: readonly string[];
}

/** @throws StoreError where no server answers, or all refuse us. */
export function clusterStatus(options: LookOptions): Promise<ClusterStatus> {
  return withLook(options, (look) => statusOf(look, options.name));
}

async function statusOf(look: Look, name: string): Promise<ClusterStatus> {
  const { jetStream, servers } = look;
  const beats = heard(look, name);
  const problems = servers.flatMap(({ problem }) => problem ?? []);
  let streams: ClusterStatus['streams'] = [];
  try {
    const found = await streamsOf(jetStream, name);
    streams = await Promise.all(
      found.map(async (stream) => ({
        ...stream,
        owner: stream.shard === undefined ? undefined : await ownerOf(look, name, stream.shard, problems),
      })),
    );
    if (found.length === 0)
      problems.push(`there is no cluster ${name}: no broker with this name has started yet`);
  } catch (error) {
    problems.push(
      `JetStream does not say what it holds (a majority of its servers has to answer): ${(error as Error).message}`,
    );
  }
  const nodes = [...(await beats)].map(([node, kafka]) => ({
    ...{ node, kafka },
    shards: streams.flatMap(({ shard, owner }) => (owner?.node === node ? [shard!] : [])),
  }));
  for (const stream of streams) problems.push(...streamProblems(stream, nodes));
  return { name, servers, nodes: nodes.sort((a, b) => a.node - b.node), streams, problems };
}

async function ownerOf(
  { jetStream }: Look,
  name: string,
  shard: number,
  problems: string[],
): Promise<ShardOwner | undefined> {
  try {
    return await shardOwner(jetStream, name, shard);
  } catch (error) {
    problems.push(`${name}-L${shard} does not answer: ${(error as Error).message}`);
    return undefined;
  }
}

/** Nodes that say now that they are there, with their Kafka address. */
async function heard({ connection }: Look, name: string): Promise<Map<number, string | undefined>> {
  const nodes = new Map<number, string | undefined>();
  const take = ({ data }: Msg) => {
    const { node, self, isGone } = beatOf(data);
    if (isGone) nodes.delete(node);
    else nodes.set(node, self.kafka && `${self.kafka.host}:${self.kafka.port}`);
  };
  const subscription = listen(connection, `${name}.beat`, take, () => {});
  await new Promise((resolve) => setTimeout(resolve, beatListenMs));
  subscription.unsubscribe();
  return nodes;
}

function streamProblems(
  { stream, replicas, owner }: ClusterStatus['streams'][number],
  nodes: readonly NodeStatus[],
): string[] {
  const problems: string[] = [];
  // A server on its own says nothing about replicas.
  if (replicas.length > 0 && !replicas.some(({ isLeader }) => isLeader))
    problems.push(`${stream} has no leader`);
  for (const { server, isAway, isCurrent, lag } of replicas) {
    if (isAway) problems.push(`${server} is away, and does not get what ${stream} takes`);
    else if (!isCurrent) problems.push(`${server} is behind in ${stream}, by ${lag}`);
  }
  if (owner === undefined || nodes.length === 0) return problems;
  if (owner.node === undefined) problems.push(`nobody owns the shard of ${stream}`);
  else if (!nodes.some(({ node }) => node === owner.node)) {
    problems.push(`node ${owner.node} owns the shard of ${stream}, and is not heard`);
  }
  return problems;
}
