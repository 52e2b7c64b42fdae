import { groupOfKey } from '../group-members.ts';
import type { GroupOffset } from '../log-store.ts';
import { type ProducerEntry, ProducerNotes } from './producer-notes.ts';
import type { OpenTransactions } from './transactions.ts';

/** Facts that Kafka has no place for. One line each: its CRC-32 in hexadecimal digits, a space, and this as JSON. */
export type JournalEntry =
  /** The number of a partition; the highest one is never given again. */
  | { kind: 'partition'; id: number; topicId: string; number: number }
  | { kind: 'gone-partition'; id: number }
  /** The largest timestamp of batches that were deleted or replaced. */
  | { kind: 'gone-timestamp'; id: number; maxTimestamp: number }
  /** Until where batches were deleted, which Kafka's checkpoint has without a checksum. */
  | { kind: 'first-offset'; id: number; offset: number }
  | ProducerEntry
  /** Which transactions are open in front of an offset, so that nobody has to look for them before it. */
  | ({ kind: 'transactions'; id: number } & OpenTransactions)
  /** A commit, or with null that there is none any more, which counts against what was committed before `atMs`. */
  | { kind: 'commit'; group: string; topic: string; partition: number; atMs: number; commit: Commit | null }
  /** The end of the metadata log, which grows with each start of Kafka. */
  | { kind: 'metadata-end'; offset: number }
  | { kind: 'meta'; key: string; value: string | null }
  /** Values of others than the log (entry-store.ts), base64; null for forgotten. On one line, so that all come to last or none. */
  | { kind: 'entries'; changes: [key: string, value: string | null][] };

export type Commit = Omit<GroupOffset, 'topic' | 'partition'>;

/** The state that all entries make together. */
export class JournalState {
  lastPartitionId = 0;
  metadataEnd = -1;
  readonly partitions = new Map<number, { topicId: string; number: number }>();
  readonly goneTimestamps = new Map<number, number>();
  /** Where batches were deleted last; Kafka may have deleted more since. */
  readonly firstOffsets = new Map<number, number>();
  readonly producers = new ProducerNotes();
  /** By partition. */
  readonly transactions = new Map<number, OpenTransactions>();
  /** By group, then by partition and topic. */
  readonly commits = new Map<string, Map<string, CommitEntry>>();
  readonly meta = new Map<string, string>();
  readonly keptEntries = new Map<string, string>();

  apply(entry: JournalEntry): void {
    switch (entry.kind) {
      case 'partition':
        this.partitions.set(entry.id, { topicId: entry.topicId, number: entry.number });
        this.lastPartitionId = Math.max(this.lastPartitionId, entry.id);
        return;
      case 'gone-partition':
        this.lastPartitionId = Math.max(this.lastPartitionId, entry.id);
        this.partitions.delete(entry.id);
        this.goneTimestamps.delete(entry.id);
        this.firstOffsets.delete(entry.id);
        this.producers.forgetPartition(entry.id);
        this.transactions.delete(entry.id);
        return;
      case 'gone-timestamp':
        this.goneTimestamps.set(entry.id, entry.maxTimestamp);
        return;
      case 'first-offset':
        this.firstOffsets.set(entry.id, entry.offset);
        return;
      case 'producer':
      case 'producers-until':
        this.producers.apply(entry);
        return;
      case 'transactions':
        this.transactions.set(entry.id, { offset: entry.offset, open: entry.open });
        return;
      case 'commit': {
        const ofGroup = this.commits.get(entry.group) ?? new Map();
        this.commits.set(entry.group, ofGroup);
        ofGroup.set(`${entry.partition}/${entry.topic}`, entry);
        return;
      }
      case 'metadata-end':
        this.metadataEnd = entry.offset;
        return;
      case 'meta':
        if (entry.value === null) this.meta.delete(entry.key);
        else this.meta.set(entry.key, entry.value);
        return;
      case 'entries':
        for (const [key, value] of entry.changes) {
          if (value === null) this.keptEntries.delete(key);
          else this.keptEntries.set(key, value);
        }
    }
  }

  /** Whether there is a commit of a group for a partition. */
  hasCommit({ group, topic, partition }: Pick<CommitEntry, 'group' | 'topic' | 'partition'>): boolean {
    const entry = this.commits.get(group)?.get(`${partition}/${topic}`);
    return entry !== undefined && entry.commit !== null;
  }

  /** Forgets producers and members of groups. Returns whether there were any. */
  forgetClients(): boolean {
    const groups = [...this.meta.keys()].filter((key) => groupOfKey(key) !== undefined);
    const hasClients = !this.producers.isEmpty || groups.length > 0;
    for (const key of groups) this.meta.delete(key);
    this.producers.clear();
    return hasClients;
  }

  /** The members of groups. */
  groupMembers(): Map<string, Uint8Array> {
    const members = new Map<string, Uint8Array>();
    for (const [key, value] of this.meta) {
      const group = groupOfKey(key);
      if (group !== undefined) members.set(group, new Uint8Array(Buffer.from(value, 'base64')));
    }
    return members;
  }

  /** The fewest entries that make this state. */
  *entries(): Generator<JournalEntry> {
    yield { kind: 'gone-partition', id: this.lastPartitionId };
    yield { kind: 'metadata-end', offset: this.metadataEnd };
    for (const [id, partition] of this.partitions) yield { kind: 'partition', id, ...partition };
    for (const [id, maxTimestamp] of this.goneTimestamps) yield { kind: 'gone-timestamp', id, maxTimestamp };
    for (const [id, offset] of this.firstOffsets) yield { kind: 'first-offset', id, offset };
    yield* this.producers.entries();
    for (const [id, noted] of this.transactions) yield { kind: 'transactions', id, ...noted };
    for (const commits of this.commits.values()) yield* commits.values();
    for (const [key, value] of this.meta) yield { kind: 'meta', key, value };
    if (this.keptEntries.size > 0) yield { kind: 'entries', changes: [...this.keptEntries] };
  }
}

export type CommitEntry = Extract<JournalEntry, { kind: 'commit' }>;
