import type { LogStore } from '../store/log-store.ts';
import type { SharedTables } from '../store/shared-table.ts';
import type { Node, Nodes } from './nodes.ts';
import type { UnplacedBatch } from './partition-log.ts';

/** What brokers share: a store, who is there, and ways to one another. */
export interface Cluster {
  readonly store: LogStore;
  readonly nodes: Nodes;
  /** What they share beside logs. */
  readonly tables: SharedTables;
  /** From now on the others hear of this node, where its clients reach it, and it may lead. Before that the store tells of no leading. */
  begin(self: Omit<Node, 'id'>): Promise<void>;
  /**
   * Gives a batch to the node that leads a partition; resolves with its base offset when it lasts.
   * @throws StoreError `not-leader` where nobody did for long; StoreUnavailableError; SequenceError
   */
  forward(partitionId: number, batch: UnplacedBatch): Promise<number>;
  /** Sends a packet to another node: at most once, in order. */
  send(node: number, packet: Uint8Array): void;
  /** Calls `listener` with what other nodes send to this one. Returns what ends that. */
  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void;
  /** Calls `append` with what other nodes give to this one. Returns what ends that. */
  onForwarded(append: (partitionId: number, batch: UnplacedBatch) => Promise<number>): () => void;
  /** Has others lead what this node leads, and leads nothing any more. Resolves when they do; what follows may still be forwarded to them. */
  leave(): Promise<void>;
  /** The last step of a broker's end. */
  close(): Promise<void>;
}
