import { join } from 'node:path';
import type { GroupOffset, TopicPartition } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { readInternalBatches } from './batches.ts';
import { CONSUMER_OFFSETS_TOPIC, ConsumerOffsets } from './consumer-offsets.ts';
import { namesIn, segmentBase } from './files.ts';
import type { CommitEntry, JournalState } from './journal-state.ts';
import type { KafkaPartition } from './partition.ts';

/** The commits of groups: with Kafka before, and with us; of the same partition the later commit counts. */
export class KafkaGroups {
  /** By group, then by partition and topic. */
  readonly #groups: Map<string, Map<string, GroupOffset>>;

  constructor(journal: JournalState, topics: Map<string, { partitions: KafkaPartition[] }>) {
    const ofKafka = new ConsumerOffsets();
    for (const { folder } of topics.get(CONSUMER_OFFSETS_TOPIC)?.partitions ?? []) readInto(ofKafka, folder);
    this.#groups = ofKafka.groups;
    for (const entries of journal.commits.values()) {
      for (const entry of entries.values()) {
        const before = this.#groups.get(entry.group)?.get(keyOf(entry));
        if (before === undefined || before.committedAtMs <= entry.atMs) this.apply(entry);
      }
    }
  }

  all(): Map<string, GroupOffset[]> {
    return new Map([...this.#groups].map(([group, offsets]) => [group, [...offsets.values()]]));
  }

  apply({ group, topic, partition, commit }: CommitEntry): void {
    const offsets = this.#groups.get(group) ?? new Map<string, GroupOffset>();
    const key = keyOf({ topic, partition });
    if (commit === null) offsets.delete(key);
    else offsets.set(key, { topic, partition, ...commit });
    if (offsets.size > 0) this.#groups.set(group, offsets);
    else this.#groups.delete(group);
  }

  /** The entries that remember commits. */
  commits(group: string, offsets: GroupOffset[], atMs: number): CommitEntry[] {
    return offsets.map(({ topic, partition, ...commit }) => ({
      kind: 'commit',
      group,
      topic,
      partition,
      atMs,
      commit,
    }));
  }

  /** The entries that delete commits of a group; all of them without `partitions`. */
  removals(group: string, atMs: number, partitions?: TopicPartition[]): CommitEntry[] {
    const offsets = this.#groups.get(group);
    const chosen = partitions?.filter((each) => offsets?.has(keyOf(each))) ?? [...(offsets?.values() ?? [])];
    return chosen.map(({ topic, partition }) => ({
      kind: 'commit',
      group,
      topic,
      partition,
      atMs,
      commit: null,
    }));
  }

  /** The entries that delete what was committed for a topic. */
  topicRemovals(topic: string, atMs: number): CommitEntry[] {
    return [...this.#groups].flatMap(([group, offsets]) =>
      this.removals(
        group,
        atMs,
        [...offsets.values()].filter((offset) => offset.topic === topic),
      ),
    );
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`;
}

/** Commits from a damaged place on are left out: they can be made again, and the log is not to stay shut for them. */
function readInto(offsets: ConsumerOffsets, folder: string): void {
  const names = namesIn(folder).filter((name) => segmentBase(name) !== undefined);
  for (const name of names.sort()) {
    try {
      readInternalBatches(join(folder, name), (batch) => offsets.apply(batch));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}
