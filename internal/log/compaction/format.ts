/**
 * What compaction wants of a record batch; the log itself knows no format. The functions of
 * `protocol/kafka/record-batch-rebuild.ts` are this.
 */
export interface CompactionFormat {
  /** Whose batch it is (-1: no idempotent producer's), and whether compaction must leave it as it is. */
  compactionFacts(bytes: Uint8Array): { producerId: number; isFixed: boolean };
  /** Tells of the key of each record that has one, in order, until `visit` says false. */
  visitKeys(
    bytes: Uint8Array,
    maxExpandedBytes: number,
    visit: (offset: number, bytes: Uint8Array, start: number, end: number) => boolean,
  ): void;
  /** The batch without what compaction removes. */
  rebuildBatch(bytes: Uint8Array, rules: CompactionRules, maxExpandedBytes: number): CompactedBatch;
  /** Whether an error of these functions says that the batch cannot be read. */
  isUnreadable(error: unknown): boolean;
}

/** What of a batch is to stay. */
export interface CompactionRules {
  /** Whether no later record with this key is known. */
  isLatest(offset: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** Records from this offset on stay, whatever they are. */
  untilOffset: number;
  /** Whether the header stays where no record does. */
  keepsHeader: boolean;
  nowMs: number;
  deleteRetentionMs: number;
}

/** What became of a batch. A horizon is when its tombstones may go; undefined where it has none. */
export type CompactedBatch =
  | { kind: 'same'; count: number; deleteHorizonMs: number | undefined }
  | { kind: 'gone' }
  | {
      kind: 'rebuilt';
      bytes: Uint8Array;
      count: number;
      maxTimestamp: number;
      deleteHorizonMs: number | undefined;
    };
