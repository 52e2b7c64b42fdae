import type { LentMemory } from '../lib/lent-memory.ts';
import type { StoredTransactions } from './transactions.ts';

/** A copy of what a store has, beside it. */
export interface Snapshot {
  /** Of the folder in each directory of logs that has it. */
  readonly name: string;
  /** The directories of logs, as the store was told of them. */
  readonly directories: readonly string[];
}

/**
 * The storage of logs: topics with partitions of record batches, offsets of consumer groups, and small values. The log
 * above gives offsets, decodes batches and decides what is kept; a store only keeps what it is given, byte for byte.
 *
 * Offsets, counts and timestamps (milliseconds since 1970, -1 for none) are safe integers. A partition is named by the
 * `id` that the store gave it: never given again, not even after its topic was deleted.
 *
 * Values that are handed over must not change before their promise settles. Every change resolves after it lasts, and changes
 * happen in the order of the calls. A change that is refused has not happened. After a StoreUnavailableError the store
 * recovers and tells so with its state: batches that were rejected are not in it; for other changes the state tells.
 */
export interface LogStore {
  /** Opens and recovers. Takes well below a second, however much is stored: no batch is read. */
  open(): Promise<StoredState>;

  /** @throws StoreError `exists`: by then a topic that another node made was told of */
  createTopic(topic: NewTopic): Promise<StoredTopic>;
  /** Sets all configs of a topic. @throws StoreError `not-found` */
  alterTopic(name: string, configs: TopicConfigs): Promise<void>;
  /** Adds partitions until there are so many. @throws StoreError `not-found`, or `invalid` if there are more already */
  addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]>;
  /** Deletes a topic, its batches, and what groups committed for it. @throws StoreError `not-found` */
  deleteTopic(name: string): Promise<void>;
  /** @throws StoreError `not-found` */
  setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void>;

  /**
   * Appends one batch; resolves after it lasts. What is appended in one turn, and what waits while the disk works, goes
   * there together.
   * @throws StoreError `conflict` unless `baseOffset` is the partition's next offset; `not-found`; `invalid`
   */
  append(partition: number, batch: NewBatch): Promise<void>;
  /**
   * Makes a later offset the next one and leaves a gap, as compaction does: for logs that come from elsewhere.
   * @throws StoreError `invalid` below the next offset; `not-found`
   */
  skipTo(partition: number, offset: number): Promise<void>;
  /**
   * Whole batches from the one that holds `fromOffset`, or the next one behind a gap, in order; at most `maxBytes`, but
   * always the first one. Empty at the end. Batches from before a damaged one are given; the next read then says so.
   *
   * @param memory where the bytes of the batches may lie: then they count until it is given back.
   * @throws CorruptBatchError if the first one is damaged; StoreError `not-found`
   */
  read(partition: number, fromOffset: number, maxBytes: number, memory?: LentMemory): Promise<StoredBatch[]>;
  /** The first batch with a record at or after a time; undefined where there is none. */
  batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined>;
  /** The offset until which batches have to go so that at most `keepBytes` stay. */
  offsetForSize(partition: number, keepBytes: number): Promise<number>;
  /**
   * Makes `offset` the first one; batches that end before it are gone, and their space is given back in the background.
   * An offset below the first one changes nothing. Resolves with the bytes of those batches.
   * @throws StoreError `invalid` beyond the next offset; `not-found`
   */
  deleteUntil(partition: number, offset: number): Promise<number>;
  /**
   * Puts other batches in the place of those from `fromOffset` to `toOffset` (both included), all at once. Gaps are
   * allowed and offsets stay what they were. Resolves with how many bytes fewer there are now.
   * @throws StoreError `conflict` where a batch reaches over either end, `invalid` for batches before the first offset or
   * beyond the last
   */
  replace(partition: number, fromOffset: number, toOffset: number, batches: NewBatch[]): Promise<number>;
  /** Keeps facts about producers without a batch: for logs that come from elsewhere. @throws StoreError `not-found` */
  putProducers(partition: number, producers: StoredProducer[]): Promise<void>;
  /** Forgets what was kept for producers. */
  forgetProducers(partition: number, producerIds: bigint[]): Promise<void>;

  /** Remembers what a group committed; other partitions of it stay as they are. */
  saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void>;
  deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void>;
  /**
   * Remembers who is in a group, in the words of the log above (at most `maxStoredGroupBytes`); undefined forgets it.
   */
  saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void>;
  /** Deletes all that a group committed, and who was in it. */
  deleteGroup(group: string): Promise<void>;

  /** Remembers a small value; undefined forgets it. */
  putMeta(key: string, value: Uint8Array | undefined): Promise<void>;
  getMeta(key: string): Promise<Uint8Array | undefined>;
  /**
   * Puts `after` where the value is `before`, undefined for none; resolves with whether it was. For values that more than one
   * node changes: of those who begin with the same one, a single one succeeds. Such a value is never put otherwise.
   */
  swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean>;

  /**
   * Where several nodes share what is stored: makes sure that this one still writes this partition, or coordinates groups, and
   * knows all that lasts there. Undefined where there is one node.
   * @throws StoreError `not-leader`; StoreUnavailableError
   */
  confirm?(what: number | 'groups'): Promise<void>;

  /**
   * Makes a copy of all that is stored as it is in one moment, beside it, for a program that copies or verifies it while this goes
   * on. Files have a second name there, so it costs little room, and later that of what is deleted here meanwhile. Whoever
   * asked removes it; a start removes what is left of one. A store whose logs do not lie in files of their own has none.
   *
   * @param withValues whether what is no log is needed, where that lies elsewhere.
   * @throws StoreError `unsupported` where files cannot have a second name
   */
  snapshot?(withValues: boolean): Promise<Snapshot>;

  /** Resolves after everything that was asked before lasts. */
  flush(): Promise<void>;
  /** Finishes what was asked, then closes. Later calls reject; closing again changes nothing. */
  close(): Promise<void>;

  /** What it cannot keep or do; as much as batches may have, where it does not say. */
  readonly limits?: StoreLimits;

  health(): StoreHealth;
  /** Tells what happens to the store. Returns the function that ends it. */
  onEvent(listener: (event: StoreEvent) => void): () => void;
}

export interface StoreLimits {
  /** Bytes of the largest batch: a larger one is refused with `batch-too-large`. */
  readonly maxBatchBytes: number;
  /** Whether batches can be replaced, which compaction needs. */
  readonly canReplace: boolean;
  /** Bytes of what is remembered of who is in a group; where it does not say, `maxStoredGroupBytes`. */
  readonly maxGroupBytes?: number;
}

/** `commit`: on the disk before it is acknowledged; `os`: with the operating system, which writes it soon. */
export type FsyncPolicy = 'commit' | 'os';

export type TopicConfigs = Record<string, string>;

export interface NewTopic {
  name: string;
  /** 16 bytes. */
  topicId: Uint8Array;
  configs: TopicConfigs;
  partitionCount: number;
  createdAtMs: number;
}

export interface StoredTopic {
  name: string;
  topicId: Uint8Array;
  configs: TopicConfigs;
  createdAtMs: number;
  /** In the order of their numbers. */
  partitions: StoredPartition[];
}

export interface StoredPartition {
  id: number;
  number: number;
  firstOffset: number;
  nextOffset: number;
  leaderEpoch: number;
  /** The largest timestamp ever appended, -1 for none. */
  maxTimestamp: number;
  /** Bytes of the batches from the first offset on. */
  sizeBytes: number;
  producers: StoredProducer[];
  /** Undefined where there never were any. */
  transactions?: StoredTransactions;
}

/** The facts about a producer that the log needs after a restart; only the log reads `state`. */
export interface StoredProducer {
  id: bigint;
  state: Uint8Array;
}

export interface NewBatch {
  baseOffset: number;
  lastOffset: number;
  /** Records in it. */
  count: number;
  maxTimestamp: number;
  bytes: Uint8Array;
  /** Kept together with the batch, in place of what was kept for this producer before. */
  producer?: StoredProducer;
}

export interface BatchSpan {
  baseOffset: number;
  lastOffset: number;
  maxTimestamp: number;
}

export interface StoredBatch extends BatchSpan {
  count: number;
  bytes: Uint8Array;
}

export interface TopicPartition {
  topic: string;
  /** The partition's number in its topic. */
  partition: number;
}

export interface GroupOffset extends TopicPartition {
  offset: number;
  /** -1 for none. */
  leaderEpoch: number;
  metadata: string;
  committedAtMs: number;
}

export interface StoredState extends StoredGroups {
  /** In the order of their names. */
  topics: StoredTopic[];
}

export interface StoredGroups {
  /** The commits of groups. */
  groups: Map<string, GroupOffset[]>;
  /** The members of groups, as they were saved. */
  groupMembers: Map<string, Uint8Array>;
}

export interface StoreHealth {
  status: 'ready' | 'unavailable' | 'closed';
  /** The last problem, for people; empty if there was none. */
  problem: string;
  /** Changes that are not acknowledged yet, and the bytes of their batches. */
  waitingChanges: number;
  waitingBytes: number;
  /** Damaged batches that reads came upon since the store was opened. */
  corruptBatches: number;
}

export type StoreEvent =
  /** Writing failed; changes are refused from now on. Reads may go on. */
  | { kind: 'unavailable'; reason: string }
  /**
   * It was opened again. `state` is what lasts: everything acknowledged, and no batch that was rejected; of a store in parts
   * only what the part has that had failed.
   */
  | { kind: 'recovered'; state: Partial<StoredState> }
  /** A file that could not be read was moved away, and an empty one began in its place. */
  | { kind: 'set-aside'; file: string; reason: string }
  /** The store has a topic that nobody asked it for: a place for what groups commit. */
  | { kind: 'created'; topic: StoredTopic }
  /** It has appended to such a topic, to a partition by its number. */
  | { kind: 'appended'; topic: string; partition: number; batch: StoredBatch }
  /** Another node has made a topic. */
  | { kind: 'topic'; topic: StoredTopic }
  /** Another node has added partitions: these ones. */
  | { kind: 'grown'; topic: string; partitions: StoredPartition[] }
  | { kind: 'altered'; topic: string; configs: TopicConfigs }
  | { kind: 'deleted'; topic: string }
  /**
   * This node leads a partition from now on; all that lasts in it, whoever wrote that. Told when appends of an earlier time of
   * its own have settled, and before anybody is told that it leads.
   */
  | { kind: 'leads'; partition: StoredPartition }
  /** Another node leads it, or nobody does. */
  | { kind: 'follows'; partition: number; leaderEpoch: number }
  /** Another node has appended: so much of a partition that this one follows lasts. */
  | { kind: 'advanced'; partition: number; nextOffset: number; maxTimestamp: number; sizeBytes: number }
  /** Another node has deleted what was before an offset. */
  | { kind: 'truncated'; partition: number; firstOffset: number; sizeBytes: number }
  /** This node coordinates groups from now on, from what was stored of them; or another one does, or this one is about to. */
  | { kind: 'groups'; groups: StoredGroups | 'elsewhere' | 'loading' }
  | { kind: 'corrupt'; partition: number; baseOffset: number; lastOffset: number };
