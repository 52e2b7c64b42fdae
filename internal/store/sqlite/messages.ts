import type { PackedEntries } from '../entry-store.ts';
import type {
  FsyncPolicy,
  GroupOffset,
  NewBatch,
  NewTopic,
  StoredProducer,
  StoredState,
  TopicConfigs,
  TopicPartition,
} from '../log-store.ts';
import type { StoreErrorCode, UnavailableReason } from '../store-error.ts';

/** The messages between the store and its two threads. */

export type WorkerRole =
  | { role: 'writer'; directory: string; fsync: FsyncPolicy }
  | { role: 'reader'; directory: string };

export type ToWriter =
  /** `keepUntil`: the next offset of partitions whose batches may have been written without an acknowledgement. */
  { kind: 'open'; isFirst: boolean; keepUntil: Map<number, number> } | WriteTransaction | { kind: 'close' };

/** Changes for one transaction. What stands at the `position` of no change is the next append. */
export interface WriteTransaction {
  kind: 'group';
  changeCount: number;
  /** APPEND_FIELDS numbers for each append. */
  appends: Float64Array;
  /** The bytes of the appends, one behind the other. */
  slab: ArrayBuffer;
  /** Of the appends that have one, in their order. */
  producers: StoredProducer[];
  /** In the order of their positions. */
  changes: { position: number; change: Change }[];
}

/** partition, base offset, last offset, count, max timestamp, byte length, 1 if there is a producer. */
export const APPEND_FIELDS = 7;

/** Everything but a plain append. */
export type Change =
  | { kind: 'create-topic'; topic: NewTopic }
  | { kind: 'alter-topic'; name: string; configs: TopicConfigs }
  | { kind: 'add-partitions'; name: string; partitionCount: number }
  | { kind: 'delete-topic'; name: string }
  /** What groups committed for a topic that is elsewhere. */
  | { kind: 'delete-topic-offsets'; name: string }
  /** All topics, which are elsewhere now; what groups committed for them stays. */
  | { kind: 'delete-all-topics' }
  | { kind: 'leader-epoch'; partition: number; leaderEpoch: number }
  | { kind: 'skip-to'; partition: number; offset: number }
  | { kind: 'delete-until'; partition: number; offset: number }
  | { kind: 'replace'; partition: number; fromOffset: number; toOffset: number; batches: NewBatch[] }
  | { kind: 'put-producers'; partition: number; producers: StoredProducer[] }
  | { kind: 'forget-producers'; partition: number; producerIds: bigint[] }
  | { kind: 'save-group'; group: string; offsets: GroupOffset[] }
  | { kind: 'delete-group-offsets'; group: string; partitions: TopicPartition[] }
  | { kind: 'delete-group'; group: string }
  | { kind: 'put-meta'; key: string; value: Uint8Array | undefined }
  | { kind: 'put-entries'; entries: PackedEntries }
  /** These change nothing. Who starts asks them, and should not have to wait for the thread that reads to start. */
  | { kind: 'get-meta'; key: string }
  | { kind: 'entries'; after: string; maxBytes: number }
  /** Changes nothing: it is there when everything before it lasts. */
  | { kind: 'barrier' };

export interface Refusal {
  code: StoreErrorCode;
  message: string;
}

export type FromWriter =
  | { kind: 'opened'; state: StoredState; setAside?: { file: string; reason: string } }
  | { kind: 'open-failed'; refusal: Refusal; reason: UnavailableReason }
  /** `outcomes` has the positions that were refused or that answer something. */
  | { kind: 'group-done'; slab: ArrayBuffer; outcomes: Outcome[]; took: GroupTimes }
  /** The transaction did not happen, or giving back space failed; the file is closed now. */
  | { kind: 'failed'; reason: UnavailableReason; message: string };

/** How long a transaction took, in seconds: as a whole, and its COMMIT. */
export interface GroupTimes {
  seconds: number;
  commitSeconds: number;
}

export type Outcome =
  | { position: number; kind: 'refused'; refusal: Refusal }
  | { position: number; kind: 'answered'; answer: unknown };

export type ReadRequest =
  | { kind: 'read'; partition: number; fromOffset: number; maxBytes: number }
  | { kind: 'batch-for-time'; partition: number; timestamp: number }
  | { kind: 'offset-for-size'; partition: number; keepBytes: number };

export type ToReader = { id: number; request: ReadRequest } | { kind: 'close' };

export type FromReader =
  | { id: number; kind: 'answered'; answer: unknown }
  | { id: number; kind: 'corrupt'; partition: number; baseOffset: number; lastOffset: number }
  | { id: number; kind: 'refused'; refusal: Refusal };

/** Batches as they cross between threads: READ_FIELDS numbers each, and their bytes. */
export interface PackedBatches {
  fields: Float64Array<ArrayBuffer>;
  /** The bytes of short batches, one behind the other: moving many small buffers costs more than a copy. */
  slab: ArrayBuffer;
  /** The bytes of the others, each in the buffer that SQLite gave, so that no copy of them waits for a collector. */
  buffers: ArrayBuffer[];
}

/** Batches from this length on are not copied into the slab. */
export const OWN_BUFFER_BYTES = 16_384;

/** base offset, last offset, count, max timestamp, byte length. */
export const READ_FIELDS = 5;
