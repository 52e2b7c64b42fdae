import type { LentMemory } from '../../lib/lent-memory.ts';
import { Availability } from '../availability.ts';
import {
  checkBatch,
  checkFirst,
  checkGroupOffsets,
  checkOffset,
  checkPartitionCount,
  checkReplaced,
  checkReplacement,
  checkSkip,
  checkTopic,
} from '../batch-rules.ts';
import type { Entry, EntryChange, EntryStore } from '../entry-store.ts';
import { groupMembersKey } from '../group-members.ts';
import type {
  BatchSpan,
  GroupOffset,
  LogStore,
  NewBatch,
  NewTopic,
  Snapshot,
  StoredBatch,
  StoredPartition,
  StoredProducer,
  StoredState,
  StoredTopic,
  StoreEvent,
  StoreHealth,
  TopicConfigs,
  TopicPartition,
} from '../log-store.ts';
import { MetaSwaps } from '../meta-swaps.ts';
import { demandRoom } from '../room.ts';
import { CorruptBatchError, StoreError, StoreUnavailableError } from '../store-error.ts';
import { roll } from './append.ts';
import { KafkaChanges } from './changes.ts';
import { saveFirstOffset } from './checkpoints.ts';
import type { DirectoryIdentity } from './files.ts';
import type { KafkaGroups } from './groups.ts';
import { allDirectories, KafkaDirectory, type KafkaDirectoryOptions } from './kafka-directory.ts';
import { type DirectoryLocks, lockDirectories, releaseLocks } from './lock.ts';
import type { KafkaPartition } from './partition.ts';
import { deleteSegments, replaceBatches } from './rewrite.ts';
import { type LinkedFiles, settleSnapshot } from './snapshot.ts';
import { storedState } from './stored-state.ts';

export type { KafkaDirectoryOptions } from './kafka-directory.ts';

/**
 * The store in the log directories of an existing Kafka, in place: what lies there is served as it is, what is appended
 * can be read by Kafka again. While this has the directory, Kafka cannot start on it, and the other way round.
 */
export class KafkaDirectoryStore implements LogStore, EntryStore {
  readonly #options: KafkaDirectoryOptions;
  readonly #availability: Availability;
  readonly #swaps = new MetaSwaps(this);
  #locks: DirectoryLocks = [];
  #opened: Opened | undefined;
  #closing: Promise<void> | undefined;
  #removing: Promise<void> | undefined;

  constructor(options: KafkaDirectoryOptions) {
    this.#options = options;
    this.#availability = new Availability(
      () => this.#recover(),
      async (bytes) => {
        for (const directory of options.directories) await demandRoom(directory, bytes);
      },
    );
  }

  /** Takes the directories for this process, before they are opened. @throws StoreError `locked` */
  lock(): void {
    if (this.#locks.length === 0) this.#locks = lockDirectories(allDirectories(this.#options));
  }

  /**
   * @throws StoreError `locked` if Kafka or another broker has the directory, `corrupt` if its metadata is damaged,
   * `unsupported` if it is of a newer Kafka
   */
  open(): Promise<StoredState> {
    return this.#availability.open(async () => {
      this.lock();
      const directory = new KafkaDirectory(this.#options, this.#locks, (file, reason) =>
        this.#availability.emit({ kind: 'set-aside', file, reason }),
      );
      this.#opened = { directory, changes: new KafkaChanges(directory, this.#availability) };
      // Nobody waits for it: large ones take long.
      this.#removing = directory.removeLeftovers();
      return storedState(directory);
    });
  }

  /** The ids of the Kafka that wrote the directory; empty texts if it does not say. */
  get identity(): DirectoryIdentity {
    return this.#directory.identity;
  }

  /** The first producer id that Kafka has not given away. */
  get nextProducerId(): number {
    return this.#directory.image.nextProducerId;
  }

  /** The level of Kafka's feature of this name; undefined where its metadata log has none. */
  get metadataVersion(): number | undefined {
    return this.#directory.image.features.get('metadata.version');
  }

  /** @throws StoreError `unsupported` where the directory has no metadata log */
  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    checkTopic(topic);
    return this.#changes.create(topic);
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    await this.#changes.make((topics) => topics.alter(name, configs));
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    checkPartitionCount(partitionCount);
    return this.#changes.make((topics) => topics.addPartitions(name, partitionCount));
  }

  async deleteTopic(name: string): Promise<void> {
    const changes = this.#changes;
    await changes.make(async (topics) => {
      const removals = this.#directory.groups.topicRemovals(name, Date.now());
      await topics.delete(name);
      await changes.offsets.keep(removals);
    });
  }

  async setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    checkOffset(leaderEpoch);
    await this.#changes.make((topics) => topics.setLeaderEpoch(partition, leaderEpoch));
  }

  async append(partition: number, batch: NewBatch): Promise<void> {
    checkBatch(batch);
    await this.#changes.append(partition, batch);
  }

  /** The same for a batch behind a gap, as compaction leaves them: without a new segment, which {@link skipTo} begins. */
  async appendBehindGap(partition: number, batch: NewBatch): Promise<void> {
    checkBatch(batch);
    await this.#changes.append(partition, batch, true);
  }

  async skipTo(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    await this.#changeOf(partition, async (into, directory) => {
      checkSkip(offset, into.nextOffset);
      await directory.prepare(into);
      await (await roll(into, offset))?.openIndex.finish();
    });
  }

  async read(
    partition: number,
    fromOffset: number,
    maxBytes: number,
    memory?: LentMemory,
  ): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    return this.#reading(partition, (from) => from.read(fromOffset, maxBytes, memory));
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    return this.#reading(partition, (from) => from.batchForTime(timestamp));
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return this.#reading(partition, (from) => from.offsetForSize(keepBytes));
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    checkOffset(offset);
    return this.#shrink(partition, async (from, directory) => {
      checkFirst(offset, from.nextOffset);
      const first = Math.max(offset, from.firstOffset);
      // One that failed half-way may have left segments from before.
      if (first === from.firstOffset && from.segmentIndex(first) === 0) return;
      await directory.prepareRemoval(from);
      await directory.note([{ kind: 'first-offset', id: partition, offset: first }]);
      await saveFirstOffset(from.folder, first);
      await deleteSegments(from, first, directory.files);
    });
  }

  async replace(
    partition: number,
    fromOffset: number,
    toOffset: number,
    batches: NewBatch[],
  ): Promise<number> {
    checkReplacement(fromOffset, toOffset, batches);
    return this.#shrink(partition, async (into, directory) => {
      checkReplaced(toOffset, batches, into);
      const segmentBytes = directory.segmentBytes(directory.demand(partition).topic.name);
      await directory.prepareRemoval(into);
      await replaceBatches(into, fromOffset, toOffset, batches, segmentBytes, directory.files);
    });
  }

  async putProducers(partition: number, producers: StoredProducer[]): Promise<void> {
    await this.#changeOf(partition, async ({ id, nextOffset }, directory) => {
      const notes = producers.map(({ id: producerId, state }) => ({
        ...{ kind: 'producer' as const, id, producerId: String(producerId), lastOffset: nextOffset - 1 },
        state: Buffer.from(state).toString('base64'),
      }));
      await directory.note([...notes, { kind: 'producers-until', id, offset: nextOffset }]);
    });
  }

  async snapshot(): Promise<Snapshot> {
    const { name, directories } = await this.snapshotWith(() => {});
    return { name, directories };
  }

  /**
   * The same with something else that is of that moment.
   *
   * @param meanwhile called while nothing is changed here.
   */
  async snapshotWith(meanwhile: () => void): Promise<LinkedFiles> {
    const linked = await this.#changes.make(async () => {
      meanwhile();
      return this.#directory.link();
    });
    await settleSnapshot(linked);
    return linked;
  }

  /**
   * That what is open is all there is: nobody would notice that the partitions of a directory are missing which was not named.
   *
   * @throws StoreError `not-found`
   */
  demandAllDirectories(): void {
    this.#directory.demandAll();
  }

  /** Whether there is a topic of this name. */
  hasTopic(name: string): boolean {
    return this.#directory.topics.has(name);
  }

  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    await this.#changeOf(partition, async ({ id }, directory) => {
      const { producers } = directory.journal.state;
      const known = producerIds.map(String).filter((producerId) => producers.has(id, producerId));
      await directory.note(
        known.map((producerId) => ({ kind: 'producer', id, producerId, lastOffset: -1, state: null })),
      );
    });
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    checkGroupOffsets(offsets);
    const changes = this.#changes;
    if (!changes.offsets.hasTopic) await changes.make(() => changes.offsets.makeTopic());
    await changes.join((into) =>
      changes.offsets.stage(into, this.#directory.groups.commits(group, offsets, Date.now())),
    );
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    await this.#removeCommits((groups) => groups.removals(group, Date.now(), partitions));
  }

  async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    await this.putMeta(groupMembersKey(group), members);
  }

  async deleteGroup(group: string): Promise<void> {
    await this.#removeCommits((groups) => groups.removals(group, Date.now()), group);
    await this.saveGroupMembers(group, undefined);
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    const text = value === undefined ? null : Buffer.from(value).toString('base64');
    await this.#changes.join((group) => group.note([{ kind: 'meta', key, value: text }]));
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    this.#availability.demandOpen();
    const text = this.#directory.journal.state.meta.get(key);
    return text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'));
  }

  swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    return this.#swaps.swap(key, before, after);
  }

  async putEntries(changes: readonly EntryChange[]): Promise<void> {
    const texts = changes.map(({ key, value }): [string, string | null] => [
      key,
      value === undefined ? null : Buffer.from(value).toString('base64'),
    ]);
    const byteLength = texts.reduce((sum, [, text]) => sum + (text?.length ?? 0), 0);
    await this.#changes.join((group) => group.note([{ kind: 'entries', changes: texts }]), byteLength);
  }

  async readEntries(after: string, maxBytes: number): Promise<Entry[]> {
    this.#availability.demandOpen();
    const { keptEntries } = this.#directory.journal.state;
    const keys = [...keptEntries.keys()].filter((key) => inUtf8Order(key, after) > 0).sort(inUtf8Order);
    const entries: Entry[] = [];
    let bytes = 0;
    for (const key of keys) {
      const value = new Uint8Array(Buffer.from(keptEntries.get(key)!, 'base64'));
      bytes += value.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push({ key, value });
    }
    return entries;
  }

  async flush(): Promise<void> {
    await this.#changes.make(async () => {});
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  health(): StoreHealth {
    return this.#availability.health(this.#opened?.changes.waiting ?? { waitingChanges: 0, waitingBytes: 0 });
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#availability.onEvent(listener);
  }

  get #changes(): KafkaChanges {
    if (this.#opened === undefined) throw this.#availability.refusal();
    return this.#opened.changes;
  }

  get #directory(): KafkaDirectory {
    if (this.#opened === undefined) throw this.#availability.refusal();
    return this.#opened.directory;
  }

  #changeOf(id: number, make: PartitionChange): Promise<void> {
    return this.#changes.make(async () => make(this.#directory.demand(id).partition, this.#directory));
  }

  /** Resolves with how many bytes fewer a partition has then. Nothing is appended meanwhile. */
  async #shrink(id: number, make: PartitionChange): Promise<number> {
    let before = 0;
    let after = 0;
    await this.#changeOf(id, async (partition, directory) => {
      before = partition.sizeBytes;
      await make(partition, directory);
      after = partition.sizeBytes;
    });
    return before - after;
  }

  #removeCommits(
    entries: (groups: KafkaGroups) => ReturnType<KafkaGroups['commits']>,
    endedGroup?: string,
  ): Promise<void> {
    const changes = this.#changes;
    return changes.make(() => changes.offsets.keep(entries(this.#directory.groups), endedGroup));
  }

  async #reading<T>(id: number, read: (partition: KafkaPartition) => Promise<T>): Promise<T> {
    this.#availability.demandOpen();
    try {
      return await read(this.#directory.demand(id).partition);
    } catch (error) {
      if (error instanceof CorruptBatchError) {
        throw this.#availability.corrupt(id, error.baseOffset, error.lastOffset);
      }
      if (error instanceof StoreError) throw error;
      // It is asked again, and says nothing about what can be written.
      throw new StoreUnavailableError('failed', (error as Error).message, { cause: error });
    }
  }

  async #recover(): Promise<StoredState> {
    await this.#changes.undoFailed();
    return storedState(this.#directory);
  }

  async #close(): Promise<void> {
    await this.#availability.beginClose();
    await this.#opened?.changes.settled();
    const isOrderly = this.#availability.close();
    if (this.#opened === undefined) {
      releaseLocks(this.#locks);
      return;
    }
    const { directory, changes } = this.#opened;
    await this.#removing;
    if (isOrderly) {
      await directory.close();
      return;
    }
    // The rest of a failed write would be taken for data. If the disk does not let go of it, Kafka looks it through.
    await changes.undoFailed().catch(() => {});
    await directory.release();
  }
}

function inUtf8Order(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

type PartitionChange = (partition: KafkaPartition, directory: KafkaDirectory) => Promise<void>;

interface Opened {
  directory: KafkaDirectory;
  changes: KafkaChanges;
}
