import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { maxLogPartitions } from '../limits/log.ts';
import type { Histogram } from '../observe/histogram.ts';
import type { Tracing } from '../observe/tracing.ts';
import type {
  LogStore,
  StoredPartition,
  StoredState,
  StoredTopic,
  StoreEvent,
  TopicConfigs,
} from '../store/log-store.ts';
import { CorruptBatchError, StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { Compactor } from './compaction/compaction.ts';
import type { Leadership } from './leadership.ts';
import { internalTopicProblem, liveTopicOf, logNameProblem } from './names.ts';
import { type CommittedRecords, PartitionLog, type PartitionParts } from './partition-log.ts';
import { Retention } from './retention.ts';
import { TailCache } from './tail-cache.ts';
import { TooManyLogsError } from './too-many-logs.ts';
import { defaultTopicConfigs, type TopicSettings, topicSettings } from './topic-configs.ts';

export { CorruptBatchError, StoreError, StoreUnavailableError };

/** A durable topic: a name with partitions. */
export interface TopicLog {
  readonly name: string;
  /** An id that no other topic ever has, as Kafka's tools print it: 22 characters of URL-safe base64. */
  readonly topicId: string;
  readonly createdAtMs: number;
  /** The configs that were set for it; {@link TopicLog.settings} has the values that hold. */
  readonly configs: Readonly<TopicConfigs>;
  readonly settings: TopicSettings;
  readonly partitions: readonly PartitionLog[];
}

/** The same, as it changes. */
interface KeptTopic extends TopicLog {
  /** Those that the store has; `configs` may be on their way there. */
  lastingConfigs: TopicConfigs;
  configs: TopicConfigs;
  settings: TopicSettings;
  partitions: PartitionLog[];
}

export interface LogsOptions {
  /** Default: the machine's. */
  clock?: Clock;
  store: LogStore;
  /** How long appends take until they are durable, in seconds. */
  appends?: Histogram;
  /** For a store that writes much for each change: how much compaction changes at once, in bytes. */
  compactionGatherBytes?: number;
  /** Which partitions this node leads. Default: all of them. */
  leadership?: Leadership;
  /** Gives what is asked for here to the nodes that lead. */
  elsewhere?: PartitionParts['elsewhere'];
  /** Memory for the newest batches of all partitions. */
  tailCacheBytes: number;
  /** Partitions of all topics together. */
  maxPartitions?: number;
  /** The interval at which retention looks for records that are too old or too many. */
  retentionEveryMs: number;
  /** The default for topics: records that are older go, in milliseconds; 0: never. */
  retentionMs: number;
  /** The default for topics: the oldest records go when a partition has more bytes; 0: never. */
  retentionBytes: number;
  logger: Pick<Logger, 'info' | 'error'>;
}

/** All durable topics of a broker, on one store. */
export class Logs {
  /** The time that records get and retention goes by. */
  readonly clock: Clock;
  /** Who looks at messages on their way. Undefined: nobody can. */
  tracing: Tracing | undefined;
  readonly #options: LogsOptions;
  readonly #topics = new Map<string, KeptTopic>();
  readonly #byId = new Map<string, KeptTopic>();
  /** By the numbers that the store gave them. */
  readonly #partitions = new Map<number, PartitionLog>();
  readonly #grown = new Set<GrownListener>();
  readonly #deleted = new Set<(topic: TopicLog) => void>();
  readonly #committed = new Set<CommittedListener>();
  readonly #defaults: ReadonlyMap<string, string>;
  readonly #creating = new Map<string, Promise<TopicLog>>();
  readonly #cache: TailCache;
  readonly #maxPartitions: number;
  /** Partitions there are, and those that the store is making. */
  #partitionCount = 0;
  readonly #compactor: Compactor;
  readonly #retention: Retention;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.#cache = new TailCache(options.tailCacheBytes);
    this.#defaults = defaultTopicConfigs(options);
    this.#maxPartitions = options.maxPartitions ?? maxLogPartitions;
    const { store, logger } = options;
    this.#compactor = new Compactor({ store, gatherBytes: options.compactionGatherBytes });
    this.#retention = new Retention({
      store,
      compactor: this.#compactor,
      topics: () => this.topics(),
      clock: this.clock,
      logger,
    });
  }

  /** Opens the store and takes up what lasts there; what groups committed is for their coordinator. */
  async open(): Promise<StoredState> {
    const { store, logger, retentionEveryMs } = this.#options;
    store.onEvent((event) => {
      switch (event.kind) {
        case 'recovered':
          if (event.state.topics !== undefined) this.#restore(event.state.topics);
          logger.info({}, 'the store works again');
          return;
        case 'created':
        case 'topic':
        case 'grown':
        case 'altered':
        case 'deleted':
          this.#noteChange(event);
          return;
        case 'leads':
          this.#partitions.get(event.partition.id)?.lead(event.partition);
          return;
        case 'follows':
          this.#partitions.get(event.partition)?.follow(event.leaderEpoch);
          return;
        case 'advanced':
          this.#partitions.get(event.partition)?.noteAdvanced(event);
          return;
        case 'truncated':
          this.#partitions.get(event.partition)?.noteTruncated(event.firstOffset, event.sizeBytes);
          return;
        case 'groups':
          return;
        case 'appended':
          this.#topics.get(event.topic)?.partitions[event.partition]?.noteAppended(event.batch);
          return;
        case 'corrupt':
          logger.error(this.#damage(event), 'the store has a problem');
          return;
        default:
          logger.error({ ...event }, 'the store has a problem');
      }
    });
    const state = await store.open();
    for (const topic of state.topics) this.#add(topic);
    this.#retention.start(retentionEveryMs);
    return state;
  }

  /** What the store says of a damaged batch, with the log that it is of. */
  #damage({ kind, partition: id, baseOffset, lastOffset }: Damage): object {
    const partition = this.#partitions.get(id);
    const topic = [...this.#topics.values()].find(({ partitions }) =>
      partitions.some((each) => each === partition),
    );
    return { kind, log: topic?.name, partition: partition?.number, baseOffset, lastOffset };
  }

  /** Finishes what was asked, then closes the store. */
  async close(): Promise<void> {
    await this.#retention.stop();
    await this.#options.store.close();
  }

  topic(name: string): TopicLog | undefined {
    return this.#topics.get(name);
  }

  topicById(topicId: string): TopicLog | undefined {
    return this.#byId.get(topicId);
  }

  /** Every durable topic. */
  topics(): Iterable<TopicLog> {
    return this.#topics.values();
  }

  /** The configs that hold where a topic sets none, as text. */
  get defaults(): ReadonlyMap<string, string> {
    return this.#defaults;
  }

  /** Calls `listener` for each topic that is created, and for more partitions of one. Returns what ends that. */
  onGrown(listener: GrownListener): () => void {
    this.#grown.add(listener);
    return () => this.#grown.delete(listener);
  }

  /** Calls `listener` for each topic that is deleted from now on. Returns what ends that. */
  onDeleted(listener: (topic: TopicLog) => void): () => void {
    this.#deleted.add(listener);
    return () => this.#deleted.delete(listener);
  }

  /**
   * Calls `listener` for records that count from now on and were not published live: those of a batch when it is durable,
   * those of a transaction when its commit is. Returns what ends that.
   */
  onCommitted(listener: CommittedListener): () => void {
    this.#committed.add(listener);
    return () => this.#committed.delete(listener);
  }

  /**
   * The topic of this name; created with so many partitions where there is none. Who asks at the same time gets the same.
   *
   * @throws RangeError where the name is not one of a log, or one of Kafka's own; TooManyLogsError;
   * StoreUnavailableError.
   */
  topicOrNew(name: string, partitionCount = 1, configs: TopicConfigs = {}): Promise<TopicLog> {
    const known = this.#topics.get(name);
    if (known !== undefined) return Promise.resolve(known);
    const problem = internalTopicProblem(name);
    if (problem !== undefined) return Promise.reject(new RangeError(problem));
    let creating = this.#creating.get(name);
    if (creating === undefined) {
      creating = this.createTopic(name, partitionCount, configs)
        .catch((error) => {
          // Somebody else may have been quicker.
          const created = this.#topics.get(name);
          if (created === undefined) throw error;
          return created;
        })
        .finally(() => this.#creating.delete(name));
      this.#creating.set(name, creating);
    }
    return creating;
  }

  /** @throws RangeError where the name is not one of a log; TooManyLogsError; StoreError `exists`, `unavailable`. */
  async createTopic(name: string, partitionCount: number, configs: TopicConfigs): Promise<TopicLog> {
    const problem = logNameProblem(name);
    if (problem !== undefined) throw new RangeError(problem);
    this.#checkConfigs(configs);
    const topic = {
      name,
      topicId: newTopicId(),
      configs,
      partitionCount,
      createdAtMs: this.clock.now(),
    };
    return this.#withRoom(partitionCount, async () =>
      this.#addOnce(await this.#options.store.createTopic(topic)),
    );
  }

  /** A partition by the number that the store gave it. */
  partition(partitionId: number): PartitionLog | undefined {
    return this.#partitions.get(partitionId);
  }

  /** Deletes a topic with all that is in it. @throws StoreError `not-found`, `unavailable`. */
  async deleteTopic(topic: TopicLog): Promise<void> {
    await this.#options.store.deleteTopic(topic.name);
    this.#remove(topic);
  }

  /**
   * Adds partitions until there are so many.
   *
   * @throws TooManyLogsError; StoreError `not-found`, `invalid`, `unavailable`.
   */
  async addPartitions(topic: TopicLog, partitionCount: number): Promise<void> {
    const addedCount = Math.max(0, partitionCount - topic.partitions.length);
    await this.#withRoom(addedCount, async () => {
      const added = await this.#options.store.addPartitions(topic.name, partitionCount);
      const kept = this.#topics.get(topic.name);
      if (kept !== undefined) this.#grow(kept, added);
    });
  }

  /**
   * Sets one config of a topic, which is seen at once.
   *
   * @throws StoreUnavailableError where it does not last; then it is as before.
   */
  setConfig(topic: TopicLog, name: string, value: string): Promise<void> {
    return this.setConfigs(topic, { ...topic.configs, [name]: value });
  }

  /**
   * Sets all configs of a topic, which are seen at once.
   *
   * @throws StoreUnavailableError where they do not last; then they are as before.
   */
  async setConfigs(topic: TopicLog, configs: TopicConfigs): Promise<void> {
    const kept = this.#topics.get(topic.name);
    if (kept === undefined) throw new StoreError('not-found', `there is no topic ${topic.name}`);
    this.#checkConfigs(configs);
    this.#configure(kept, configs);
    try {
      await this.#options.store.alterTopic(topic.name, configs);
    } catch (error) {
      if (kept.configs === configs) this.#configure(kept, kept.lastingConfigs);
      throw error;
    }
    kept.lastingConfigs = configs;
  }

  /** Deletes and compacts what topics keep no longer, and forgets producers that are quiet for long. */
  applyRetention(nowMs: number): Promise<void> {
    return this.#retention.apply(nowMs);
  }

  /** Holds room for partitions while they are made. @throws TooManyLogsError */
  async #withRoom<T>(partitionCount: number, make: () => Promise<T>): Promise<T> {
    if (this.#partitionCount + partitionCount > this.#maxPartitions) {
      throw new TooManyLogsError(this.#partitionCount, this.#maxPartitions);
    }
    this.#partitionCount += partitionCount;
    try {
      return await make();
    } finally {
      this.#partitionCount -= partitionCount;
    }
  }

  /** @throws StoreError `unsupported`. */
  #checkConfigs(configs: TopicConfigs): void {
    const canReplace = this.#options.store.limits?.canReplace ?? true;
    if (canReplace || !topicSettings(configs, this.#defaults).compacts) return;
    throw new StoreError(
      'unsupported',
      'cleanup.policy=compact: logs that several nodes share are not compacted; they can be deleted by time and size',
    );
  }

  /** What another node, or the store itself, has done. */
  #noteChange(event: ChangeElsewhere): void {
    switch (event.kind) {
      case 'created':
      case 'topic':
        this.#addOnce(event.topic);
        return;
      case 'grown': {
        const topic = this.#topics.get(event.topic);
        if (topic !== undefined) this.#grow(topic, event.partitions);
        return;
      }
      case 'altered': {
        const topic = this.#topics.get(event.topic);
        if (topic === undefined) return;
        topic.lastingConfigs = event.configs;
        this.#configure(topic, event.configs);
        return;
      }
      case 'deleted': {
        const topic = this.#topics.get(event.topic);
        if (topic !== undefined) this.#remove(topic);
      }
    }
  }

  /** A topic that this node has made may be told of as well. */
  #addOnce(stored: StoredTopic): TopicLog {
    const known = this.#byId.get(topicIdText(stored.topicId));
    if (known !== undefined) return known;
    // Deleted and made again elsewhere, before this node heard of the first.
    const former = this.#topics.get(stored.name);
    if (former !== undefined) this.#remove(former);
    return this.#add(stored);
  }

  #add(stored: StoredTopic): TopicLog {
    const topic: KeptTopic = {
      name: stored.name,
      topicId: topicIdText(stored.topicId),
      createdAtMs: stored.createdAtMs,
      lastingConfigs: stored.configs,
      configs: stored.configs,
      settings: this.#settingsOf(stored.configs),
      partitions: [],
    };
    this.#topics.set(topic.name, topic);
    this.#byId.set(topic.topicId, topic);
    this.#grow(topic, stored.partitions);
    return topic;
  }

  #grow(topic: KeptTopic, stored: readonly StoredPartition[]): void {
    const { store, leadership, elsewhere, appends } = this.#options;
    const committed = (partition: PartitionLog, records: CommittedRecords) => {
      for (const listener of this.#committed) listener(topic, partition, records);
    };
    const kept: PartitionParts['kept'] = (partition, { baseOffset, count, bytes }) => {
      if (this.tracing?.isOn !== true) return;
      const { name: log } = topic;
      const place = { log, partition: partition.number, offset: baseOffset };
      this.tracing.tell({ step: 'kept', topic: liveTopicOf(log), ...place, count, bytes: bytes.length });
    };
    const parts = {
      store,
      cache: this.#cache,
      clock: this.clock,
      leadership,
      elsewhere,
      committed,
      appends,
      kept,
    };
    // What this node has added may be told of as well.
    const more = stored.filter(({ number }) => number >= topic.partitions.length);
    const added = more.map((partition) => new PartitionLog(partition, parts));
    for (const partition of added) this.#partitions.set(partition.id, partition);
    topic.partitions.push(...added);
    if (added.length === 0 && stored.length > 0) return;
    this.#partitionCount += added.length;
    for (const listener of [...this.#grown]) listener(topic, added);
  }

  #configure(topic: KeptTopic, configs: TopicConfigs): void {
    topic.configs = configs;
    topic.settings = this.#settingsOf(configs);
  }

  /** The settings of a topic, as far as the store can do them. */
  #settingsOf(configs: TopicConfigs): TopicSettings {
    const settings = topicSettings(configs, this.#defaults);
    const { limits } = this.#options.store;
    if (limits === undefined) return settings;
    const maxBatchBytes = Math.min(settings.maxBatchBytes, limits.maxBatchBytes);
    return { ...settings, maxBatchBytes, compacts: settings.compacts && limits.canReplace };
  }

  #remove(topic: TopicLog): void {
    if (!this.#byId.delete(topic.topicId)) return;
    this.#topics.delete(topic.name);
    this.#partitionCount -= topic.partitions.length;
    for (const partition of topic.partitions) {
      this.#partitions.delete(partition.id);
      partition.end();
      // If that fails, a few bytes stay behind, under a number that is never given again.
      this.#compactor.forget(partition.id).catch(() => {});
    }
    for (const listener of [...this.#deleted]) listener(topic);
  }

  /** The store has recovered. What was changed and could not be told may have come to be all the same. */
  #restore(topics: readonly StoredTopic[]): void {
    const lasting = new Set(topics.map(({ topicId }) => topicIdText(topicId)));
    for (const topic of [...this.#topics.values()]) if (!lasting.has(topic.topicId)) this.#remove(topic);
    for (const stored of topics) {
      const topic = this.#topics.get(stored.name);
      if (topic === undefined) {
        this.#add(stored);
        continue;
      }
      topic.lastingConfigs = stored.configs;
      this.#configure(topic, stored.configs);
      for (const partition of topic.partitions) partition.restore(stored.partitions[partition.number]!);
      this.#grow(topic, stored.partitions.slice(topic.partitions.length));
    }
  }
}

type Damage = Extract<StoreEvent, { kind: 'corrupt' }>;
type ChangeElsewhere = Extract<StoreEvent, { kind: 'created' | 'topic' | 'grown' | 'altered' | 'deleted' }>;

/** Told of a topic and the partitions that it has now and did not have before. */
export type GrownListener = (topic: TopicLog, added: readonly PartitionLog[]) => void;

/** Told of a partition with more records that count; see {@link Logs.onCommitted}. */
export type CommittedListener = (topic: TopicLog, partition: PartitionLog, records: CommittedRecords) => void;

function topicIdText(topicId: Uint8Array): string {
  return Buffer.from(topicId).toString('base64url');
}

/** Kafka gives no id that begins with a dash, which a shell would take for an option (Uuid.randomUuid). */
function newTopicId(): Uint8Array {
  for (;;) {
    const topicId = new Uint8Array(randomBytes(16));
    if (!topicIdText(topicId).startsWith('-')) return topicId;
  }
}
