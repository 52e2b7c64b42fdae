import { checkMorePartitions, checkPartitionCount, checkTopic } from '../store/batch-rules.ts';
import type { NewTopic, StoredPartition, StoredTopic, TopicConfigs } from '../store/log-store.ts';
import { GonePartitions } from './gone-partitions.ts';
import type { GroupRecords } from './group-records.ts';
import type { Meta, TopicRecord } from './meta.ts';
import type { Shards } from './open-shards.ts';
import type { PartitionPlaces } from './partition-places.ts';
import type { StoreNews } from './store-news.ts';

export interface TopicsParts {
  readonly meta: Meta;
  readonly shards: Shards;
  readonly places: PartitionPlaces;
  readonly news: StoreNews;
  /** What groups committed, once it is known. */
  readonly groups: () => Promise<GroupRecords>;
  /** Has the other nodes take up what was changed of topics, up to a sequence. */
  readonly untilOthersKnow: (sequence: number) => Promise<void>;
}

/** The topics of a cluster: every node changes them, and takes up what others change. */
export class Topics {
  readonly #parts: TopicsParts;
  readonly gone: GonePartitions;

  constructor(parts: TopicsParts) {
    this.#parts = parts;
    this.gone = new GonePartitions(parts.meta, parts.shards);
  }

  /** Begins with the topics that there are. */
  async open(): Promise<void> {
    const { meta, places } = this.#parts;
    await meta.open();
    for (const record of meta.topics.values()) places.place(record);
  }

  /** In the order of their names. */
  stored(): StoredTopic[] {
    const records = [...this.#parts.meta.topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return records.map((record) => this.#stored(record));
  }

  async create(topic: NewTopic): Promise<StoredTopic> {
    checkTopic(topic);
    const { meta, places, untilOthersKnow } = this.#parts;
    const { name, configs, createdAtMs, partitionCount } = topic;
    const partitions = await meta.partitionIds(partitionCount);
    const topicId = Buffer.from(topic.topicId).toString('base64');
    const record = { name, topicId, configs, createdAtMs, partitions };
    const sequence = await meta.create(record);
    places.place(record);
    await untilOthersKnow(sequence);
    return this.#stored(record);
  }

  async alter(name: string, configs: TopicConfigs): Promise<void> {
    const { meta, untilOthersKnow } = this.#parts;
    await untilOthersKnow(await meta.alter(name, (before) => ({ ...before, configs })));
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    checkPartitionCount(partitionCount);
    const { meta, places, shards, untilOthersKnow } = this.#parts;
    const known = meta.topics.get(name)?.partitions.length ?? partitionCount;
    const ids = await meta.partitionIds(Math.max(0, partitionCount - known));
    let added: readonly number[] = [];
    const sequence = await meta.alter(name, (before) => {
      const count = before.partitions.length;
      checkMorePartitions(name, count, partitionCount);
      added = ids.slice(0, partitionCount - count);
      return { ...before, partitions: [...before.partitions, ...added] };
    });
    const record = meta.topics.get(name)!;
    places.place(record);
    await untilOthersKnow(sequence);
    return record.partitions.flatMap((id, number) => (added.includes(id) ? [shards.stored(id, number)] : []));
  }

  async delete(name: string): Promise<void> {
    const { meta, places, untilOthersKnow } = this.#parts;
    const { record, sequence } = await meta.delete(name);
    places.displace(record);
    await untilOthersKnow(sequence);
    await this.gone.giveBackOf(name);
    await this.#forgetCommits(name);
  }

  /** Another node has changed a topic. Before the shards are open nobody is told: who opens them is given all topics then. */
  changed(name: string, before: TopicRecord | undefined, after: TopicRecord | undefined): void {
    const { places, shards } = this.#parts;
    if (before !== undefined && before.topicId !== after?.topicId) places.displace(before);
    if (after !== undefined) places.place(after);
    if (shards.all.length === 0) return;
    void this.gone.giveBackOf(name);
    this.#tell(before, after);
  }

  #tell(before: TopicRecord | undefined, after: TopicRecord | undefined): void {
    const { news } = this.#parts;
    if (before !== undefined && before.topicId !== after?.topicId) {
      this.#forgetCommits(before.name).catch(() => {});
      news.tell({ kind: 'deleted', topic: before.name });
    }
    if (after === undefined) return;
    if (before?.topicId !== after.topicId) news.tell({ kind: 'topic', topic: this.#stored(after) });
    else this.#tellChanges(before, after);
  }

  #tellChanges(before: TopicRecord, { name: topic, configs, partitions: ids }: TopicRecord): void {
    const { shards, news } = this.#parts;
    const known = before.partitions.length;
    const partitions = ids.slice(known).map((id, index) => shards.stored(id, known + index));
    if (partitions.length > 0) news.tell({ kind: 'grown', topic, partitions });
    if (JSON.stringify(before.configs) !== JSON.stringify(configs))
      news.tell({ kind: 'altered', topic, configs });
  }

  /** The coordinator of groups does so, when it has learned of a deletion. */
  async #forgetCommits(name: string): Promise<void> {
    const { shards, groups } = this.#parts;
    if (shards.all[0]!.shard.leader === 'here') await (await groups()).forgetTopic(name);
  }

  #stored({ name, topicId, configs, createdAtMs, partitions }: Omit<TopicRecord, 'by'>): StoredTopic {
    return {
      ...{ name, configs, createdAtMs },
      topicId: new Uint8Array(Buffer.from(topicId, 'base64')),
      partitions: partitions.map((id, number) => this.#parts.shards.stored(id, number)),
    };
  }
}
