import { maxCommittedOffsetsBytes } from '../limits/groups.ts';
import type { GroupOffset, LogStore, TopicPartition } from '../store/log-store.ts';
import type { GroupOutcome, NewOffset } from './group-types.ts';

export type { GroupOffset };

/** The commits of one group: by topic and partition. */
export type OffsetsByTopic = ReadonlyMap<string, ReadonlyMap<number, GroupOffset>>;

/** The part of a store that keeps groups. */
export type OffsetStore = Pick<LogStore, 'saveGroupOffsets' | 'deleteGroupOffsets' | 'deleteGroup'>;

type Topics = Map<string, Map<number, GroupOffset>>;

/**
 * The commits of all groups. A change is seen when the store keeps it, and changes are seen in the order in which they
 * were asked for. What the store refuses rejects with its error.
 */
export class CommittedOffsets {
  readonly #store: OffsetStore;
  readonly #groups = new Map<string, Topics>();
  /** The last commit of a group that is on its way to the store. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Topics that were deleted while a commit was on its way, for each of these. */
  readonly #deletedMeanwhile = new Set<Set<string>>();
  #bytes = 0;

  constructor(store: OffsetStore, offsets: ReadonlyMap<string, readonly GroupOffset[]>) {
    this.#store = store;
    this.replaceAll(offsets);
  }

  /** Takes what the store says for all there is. */
  replaceAll(offsets: ReadonlyMap<string, readonly GroupOffset[]>): void {
    this.#groups.clear();
    this.#bytes = 0;
    for (const [group, list] of offsets) this.#put(group, list);
  }

  /** The groups that have any. */
  groupIds(): Iterable<string> {
    return this.#groups.keys();
  }

  of(group: string): OffsetsByTopic {
    return this.#groups.get(group) ?? NONE;
  }

  get(group: string, { topic, partition }: TopicPartition): GroupOffset | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition);
  }

  /** Whether the group has any, or is about to. */
  has(group: string): boolean {
    return this.#groups.has(group) || this.#underWay.has(group);
  }

  /** Resolves when all that was committed before is seen, or was refused. */
  async settled(group: string): Promise<void> {
    await this.#underWay.get(group)?.catch(() => {});
  }

  /**
   * Resolves when the store keeps them. A negative offset, which readers take for none, deletes what was committed.
   *
   * @param nowMs milliseconds since 1970.
   */
  async commit(group: string, list: readonly NewOffset[], nowMs: number): Promise<GroupOutcome> {
    const offsets = list
      .filter(({ offset }) => offset >= 0)
      .map((offset) => ({ ...offset, committedAtMs: nowMs }));
    let bytes = this.#bytes;
    for (const offset of offsets) bytes += offsetBytes(offset) - offsetBytes(this.get(group, offset));
    if (bytes > this.#bytes && bytes > maxCommittedOffsetsBytes) return 'invalidCommitOffsetSize';
    const saving = this.#save(
      group,
      offsets,
      list.filter(({ offset }) => offset < 0),
    );
    this.#underWay.set(group, saving);
    try {
      await saving;
    } finally {
      if (this.#underWay.get(group) === saving) this.#underWay.delete(group);
    }
    return 'none';
  }

  async #save(group: string, offsets: GroupOffset[], dropped: readonly TopicPartition[]): Promise<void> {
    const deletedTopics = new Set<string>();
    this.#deletedMeanwhile.add(deletedTopics);
    try {
      const deleting = this.delete(group, dropped);
      if (offsets.length > 0) await this.#store.saveGroupOffsets(group, offsets);
      await deleting;
    } finally {
      this.#deletedMeanwhile.delete(deletedTopics);
    }
    this.#put(group, offsets);
    // The store was asked to delete these topics before it got their offsets.
    await this.delete(
      group,
      offsets.filter(({ topic }) => deletedTopics.has(topic)),
    );
  }

  async delete(group: string, partitions: readonly TopicPartition[]): Promise<void> {
    const isUnderWay = this.#underWay.has(group);
    const known = partitions.filter((one) => isUnderWay || this.get(group, one) !== undefined);
    if (known.length === 0) return;
    await this.#store.deleteGroupOffsets(
      group,
      known.map(({ topic, partition }) => ({ topic, partition })),
    );
    for (const { topic, partition } of known) this.#remove(group, topic, partition);
  }

  async deleteGroup(group: string): Promise<void> {
    await this.#store.deleteGroup(group);
    for (const partitions of this.of(group).values()) {
      for (const offset of partitions.values()) this.#bytes -= offsetBytes(offset);
    }
    this.#groups.delete(group);
  }

  /** The topic was deleted, and with it what the store kept for it. */
  forgetTopic(topic: string): void {
    for (const deleted of this.#deletedMeanwhile) deleted.add(topic);
    for (const [group, topics] of this.#groups) {
      const partitions = topics.get(topic);
      if (partitions === undefined) continue;
      for (const partition of [...partitions.keys()]) this.#remove(group, topic, partition);
    }
  }

  #put(group: string, offsets: readonly GroupOffset[]): void {
    if (offsets.length === 0) return;
    const topics: Topics = this.#groups.get(group) ?? new Map();
    this.#groups.set(group, topics);
    for (const offset of offsets) {
      let partitions = topics.get(offset.topic);
      if (partitions === undefined) {
        partitions = new Map();
        topics.set(offset.topic, partitions);
      }
      this.#bytes += offsetBytes(offset) - offsetBytes(partitions.get(offset.partition));
      partitions.set(offset.partition, offset);
    }
  }

  #remove(group: string, topic: string, partition: number): void {
    const topics = this.#groups.get(group);
    const partitions = topics?.get(topic);
    const offset = partitions?.get(partition);
    if (topics === undefined || partitions === undefined || offset === undefined) return;
    partitions.delete(partition);
    this.#bytes -= offsetBytes(offset);
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(group);
  }
}

const NONE: OffsetsByTopic = new Map();

/** The memory of an offset, roughly; nothing if there is none. */
function offsetBytes(offset: GroupOffset | undefined): number {
  return offset === undefined ? 0 : OFFSET_OVERHEAD_BYTES + offset.metadata.length;
}

const OFFSET_OVERHEAD_BYTES = 200;
