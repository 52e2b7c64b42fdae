import type { LogStore } from '../store/log-store.ts';
import type { SharedTables } from '../store/shared-table.ts';
import type { KafkaAddress, Nodes } from './nodes.ts';
import type { Elsewhere, UnplacedBatch } from './partition-log.ts';

/** What the leader of partitions does for clients of other nodes. */
export interface Leading {
  append(partitionId: number, batch: UnplacedBatch): Promise<number>;
  deleteUntil(partitionId: number, offset: number): Promise<void>;
}

/** What brokers share: a store, who is there, and ways to one another. */
export interface Cluster extends Elsewhere {
  readonly store: LogStore;
  readonly nodes: Nodes;
  /** What they share beside logs. */
  readonly tables: SharedTables;
  /**
   * From now on the others hear of this node, where its clients reach it, and it may lead. Before that the store tells of no leading.
   *
   * @param claimed told of each shard that this node came to own, and for how many seconds it had no owner.
   */
  begin(kafka: KafkaAddress | undefined, claimed?: (seconds: number) => void): Promise<void>;
  /** Sends a packet to another node: at most once, in order. */
  send(node: number, packet: Uint8Array): void;
  /** Calls `listener` with what other nodes send to this one; what it throws at is passed over. Returns what ends that. */
  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void;
  /** Has what other nodes give to this one done by `leading`. Returns what ends that. */
  onForwarded(leading: Leading): () => void;
  /** Has others lead what this node leads, and leads nothing any more. Resolves when they do; what follows may still be forwarded to them. */
  leave(): Promise<void>;
  /** The last step of a broker's end. */
  close(): Promise<void>;
}
