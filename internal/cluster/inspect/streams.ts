import type { JetStream } from '../jetstream.ts';
import { FACTS } from '../jetstream-shard.ts';
import { factsOf } from '../messages.ts';

/** What one server has of a stream, as the leader sees it. */
export interface ReplicaStatus {
  readonly server: string;
  readonly isLeader: boolean;
  /** Whether it has all that was acknowledged. */
  readonly isCurrent: boolean;
  readonly isAway: boolean;
  /** Changes that it has not got yet. */
  readonly lag: number;
}

export interface StreamStatus {
  readonly stream: string;
  /** Undefined for a stream that is no shard of the logs. */
  readonly shard: number | undefined;
  readonly messages: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly replicas: readonly ReplicaStatus[];
}

/** Who owns a shard: the node that its last marker names. */
export interface ShardOwner {
  /** Undefined where nobody does. */
  readonly node: number | undefined;
  readonly epoch: number;
}

interface InfoAnswer {
  readonly config: { readonly name: string };
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
  };
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly {
      readonly name: string;
      readonly current: boolean;
      readonly offline?: boolean;
      readonly lag?: number;
    }[];
  };
}

/** The streams of a cluster, those of the shards by their numbers. @throws StoreUnavailableError; JetStreamError */
export async function streamsOf(jetStream: JetStream, name: string): Promise<StreamStatus[]> {
  const found: StreamStatus[] = [];
  for (let offset = 0, total = 1; offset < total; ) {
    const page = await jetStream.ask<{ total: number; streams: InfoAnswer[] | null }>('STREAM.LIST', {
      offset,
      // Subjects begin with the name, whatever the streams are called.
      subject: `${name}.>`,
    });
    const streams = page.streams ?? [];
    if (streams.length === 0) break;
    offset += streams.length;
    total = page.total;
    found.push(...streams.map((info) => streamStatus(name, info)));
  }
  return found.sort((a, b) => (a.shard ?? -1) - (b.shard ?? -1) || (a.stream < b.stream ? -1 : 1));
}

function streamStatus(name: string, { config, state, cluster }: InfoAnswer): StreamStatus {
  const shard = config.name.startsWith(`${name}-L`) ? Number(config.name.slice(name.length + 2)) : undefined;
  const leader = cluster?.leader;
  const followers = (cluster?.replicas ?? []).map((replica) => ({
    server: replica.name,
    isLeader: false,
    isCurrent: replica.current,
    isAway: replica.offline ?? false,
    lag: replica.lag ?? 0,
  }));
  const leading =
    leader === undefined || leader === ''
      ? []
      : [{ server: leader, isLeader: true, isCurrent: true, isAway: false, lag: 0 }];
  return {
    stream: config.name,
    shard,
    messages: state.messages,
    bytes: state.bytes,
    firstSequence: state.first_seq,
    lastSequence: state.last_seq,
    replicas: [...leading, ...followers].sort((a, b) => (a.server < b.server ? -1 : 1)),
  };
}

/** @throws StoreUnavailableError; JetStreamError */
export async function shardOwner(jetStream: JetStream, name: string, shard: number): Promise<ShardOwner> {
  const text = await jetStream.headerOfLast(`${name}-L${shard}`, `${name}.${shard}.m`, FACTS);
  const facts = text === undefined ? undefined : factsOf({ subject: 'm', facts: text });
  if (facts === undefined) return { node: undefined, epoch: 0 };
  const node = facts.kind === 'marker' && facts.node !== 0 ? facts.node : undefined;
  return { node, epoch: facts.epoch };
}
