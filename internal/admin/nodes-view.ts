/** What a node says of itself to the others. */
export interface NodeStatus {
  readonly version: string;
  /** The name of its machine: where it listens on all addresses, its URLs do not say it. Older nodes do not tell it. */
  readonly host?: string;
  readonly startedAtMs: number;
  readonly listeners: readonly { readonly door: string; readonly url: string }[];
  readonly clients: number;
  /** How many shards of the logs it owns. */
  readonly shards: number;
}

/** Another node, and the way there. */
export interface OtherNode {
  readonly id: number;
  /** Undefined as long as it has said nothing. */
  readonly status: NodeStatus | undefined;
  /** Filters that it has subscribers of. */
  readonly filters: number;
  /** What was sent to it, and it has not taken. */
  readonly waitingBytes: number;
  /** Messages that it did not get. */
  readonly lost: number;
  /** Whether it takes nothing, so that messages for it are dropped. */
  readonly isSlow: boolean;
}

/** The nodes of a cluster, as one of them sees it. */
export interface NodesView {
  readonly self: number;
  readonly status: NodeStatus;
  /** Who coordinates groups; undefined where nobody does. */
  readonly coordinator: number | undefined;
  readonly others: readonly OtherNode[];
}
