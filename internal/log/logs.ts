import { randomBytes } from 'node:crypto';
import type { LogStore, StoredState, StoredTopic, TopicConfigs } from '../store/log-store.ts';
import { logNameProblem } from './names.ts';
import { PartitionLog, type PlaceBatch } from './partition-log.ts';
import { TailCache } from './tail-cache.ts';

/** A durable topic: a name with partitions. */
export interface TopicLog {
  readonly name: string;
  /** 16 bytes that no other topic ever has. */
  readonly topicId: Uint8Array;
  readonly createdAtMs: number;
  readonly configs: TopicConfigs;
  readonly partitions: readonly PartitionLog[];
}

export interface LogsOptions {
  store: LogStore;
  place: PlaceBatch;
  /** Memory for the newest batches of all partitions. */
  tailCacheBytes: number;
  /** How often what is too old or too much is looked for. */
  retentionEveryMs: number;
  /** Where a topic says nothing else: records that are older go, in milliseconds; 0: never. */
  retentionMs: number;
  /** Where a topic says nothing else: the oldest go when a partition has more bytes; 0: never. */
  retentionBytes: number;
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** All durable topics of a broker, on one store. */
export class Logs {
  readonly #options: LogsOptions;
  readonly #topics = new Map<string, TopicLog>();
  readonly #created = new Set<(topic: TopicLog) => void>();
  readonly #creating = new Map<string, Promise<TopicLog>>();
  readonly #cache: TailCache;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#cache = new TailCache(options.tailCacheBytes);
  }

  /** Opens the store and takes up what lasts there. */
  async open(): Promise<void> {
    const { store, log, retentionEveryMs } = this.#options;
    store.onEvent((event) => {
      if (event.kind === 'recovered') {
        this.#restore(event.state);
        log.info({}, 'the store works again');
      } else {
        log.error({ ...event }, 'the store has a problem');
      }
    });
    const { topics } = await store.open();
    for (const topic of topics) this.#add(topic);
    this.#sweep = setInterval(() => void this.applyRetention(Date.now()), retentionEveryMs).unref();
  }

  /** Finishes what was asked, then closes the store. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#options.store.close();
  }

  topic(name: string): TopicLog | undefined {
    return this.#topics.get(name);
  }

  /** Every durable topic. */
  topics(): Iterable<TopicLog> {
    return this.#topics.values();
  }

  /** Calls `listener` for each topic that is created from now on. Returns what ends that. */
  onCreated(listener: (topic: TopicLog) => void): () => void {
    this.#created.add(listener);
    return () => this.#created.delete(listener);
  }

  /**
   * The topic of this name; created with one partition where there is none. Who asks at the same time gets the same.
   *
   * @throws RangeError where the name is not one of a log; StoreUnavailableError.
   */
  topicOrNew(name: string): Promise<TopicLog> {
    const known = this.#topics.get(name);
    if (known !== undefined) return Promise.resolve(known);
    let creating = this.#creating.get(name);
    if (creating === undefined) {
      creating = this.createTopic(name, 1, {})
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

  /** @throws RangeError where the name is not one of a log; StoreError `exists`, `unavailable`. */
  async createTopic(name: string, partitionCount: number, configs: TopicConfigs): Promise<TopicLog> {
    const problem = logNameProblem(name);
    if (problem !== undefined) throw new RangeError(problem);
    const topic = {
      name,
      topicId: new Uint8Array(randomBytes(16)),
      configs,
      partitionCount,
      createdAtMs: Date.now(),
    };
    return this.#add(await this.#options.store.createTopic(topic));
  }

  /**
   * Sets one config of a topic, which is seen at once.
   *
   * @throws StoreUnavailableError where it does not last; then it is as before.
   */
  async setConfig(topic: TopicLog, name: string, value: string): Promise<void> {
    const before = topic.configs[name];
    topic.configs[name] = value;
    try {
      await this.#options.store.alterTopic(topic.name, { ...topic.configs });
    } catch (error) {
      if (before === undefined) delete topic.configs[name];
      else topic.configs[name] = before;
      throw error;
    }
  }

  /** Deletes what is older or more than its topic keeps. */
  async applyRetention(nowMs: number): Promise<void> {
    for (const topic of this.#topics.values()) {
      const retentionMs = configured(topic, 'retention.ms') ?? this.#options.retentionMs;
      const retentionBytes = configured(topic, 'retention.bytes') ?? this.#options.retentionBytes;
      for (const partition of topic.partitions) {
        try {
          if (retentionMs > 0)
            await partition.deleteUntil(await partition.offsetForTime(nowMs - retentionMs));
          if (retentionBytes > 0) {
            await partition.deleteUntil(
              await this.#options.store.offsetForSize(partition.id, retentionBytes),
            );
          }
        } catch (error) {
          const fields = { log: topic.name, partition: partition.number, error: (error as Error).message };
          this.#options.log.error(fields, 'old records could not be deleted');
        }
      }
    }
  }

  #add(stored: StoredTopic): TopicLog {
    const { store, place } = this.#options;
    const topic: TopicLog = {
      ...stored,
      configs: { ...stored.configs },
      partitions: stored.partitions.map(
        (partition) => new PartitionLog(partition, store, this.#cache, place),
      ),
    };
    this.#topics.set(topic.name, topic);
    for (const listener of [...this.#created]) listener(topic);
    return topic;
  }

  #restore(state: StoredState): void {
    for (const stored of state.topics) {
      const topic = this.#topics.get(stored.name);
      if (topic === undefined) {
        // Its creation lasted although the store could not say so.
        this.#add(stored);
        continue;
      }
      for (const name of Object.keys(topic.configs)) delete topic.configs[name];
      Object.assign(topic.configs, stored.configs);
      for (const partition of stored.partitions) topic.partitions[partition.number]?.restore(partition);
    }
  }
}

/** A number that a topic sets for itself, by Kafka's name; -1 and 0 both mean without end. */
function configured(topic: TopicLog, name: string): number | undefined {
  const text = topic.configs[name];
  return text === undefined ? undefined : Number(text);
}
