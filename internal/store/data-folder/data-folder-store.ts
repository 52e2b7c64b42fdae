import { join } from 'node:path';
import type { LentMemory } from '../../lib/lent-memory.ts';
import { dataFolderSegmentBytes } from '../../limits/store.ts';
import { noSuchTopic } from '../batch-rules.ts';
import type { Entry, EntryChange, EntryStore } from '../entry-store.ts';
import { IDENTITY_FILE } from '../kafka-directory/files.ts';
import { formatKafkaDirectory, hasPartitions, isFormatted } from '../kafka-directory/format.ts';
import { KafkaDirectoryStore } from '../kafka-directory/kafka-directory-store.ts';
import type {
  BatchSpan,
  FsyncPolicy,
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
import { PinnedStore } from '../sqlite/backup.ts';
import { checkStoreFile } from '../sqlite/check-store-file.ts';
import { inUse } from '../sqlite/files.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';
import { STORE_FILE } from '../sqlite/store-file.ts';
import { StoreError } from '../store-error.ts';
import type { WriteTimes } from '../write-times.ts';
import { type ConversionEvent, checkConverted, convertLogs } from './convert.ts';
import { HAS_LOGS, LOGS_FOLDER } from './logs-folder.ts';

export interface DataFolderOptions {
  directory: string;
  fsync: FsyncPolicy;
  times?: WriteTimes;
  /** Told of a store of an older version whose batches are moved into segment files. */
  onConversion?: (event: ConversionEvent) => void;
  segmentBytes?: number;
}

/**
 * The store in the data folder of a broker. Batches and topics lie in segment files, in a log directory of Kafka's form
 * (`logs`); what groups, sessions and users need lies in SQLite, which is good at many small values that change.
 */
export class DataFolderStore implements LogStore, EntryStore {
  readonly #options: DataFolderOptions;
  readonly #logs: KafkaDirectoryStore;
  readonly #values: SqliteStore;
  readonly #logsFolder: string;

  constructor(options: DataFolderOptions) {
    const { directory, fsync, times, segmentBytes = dataFolderSegmentBytes } = options;
    this.#options = options;
    this.#logsFolder = join(directory, LOGS_FOLDER);
    this.#logs = new KafkaDirectoryStore({
      directories: [this.#logsFolder],
      areOurs: true,
      ...{ fsync, times, segmentBytes },
    });
    this.#values = new SqliteStore({ directory, fsync, times });
  }

  /**
   * Opens both parts. The batches of an older version are moved into segment files before, which takes long where there are
   * many; after a broker that ended meanwhile the next one goes on.
   *
   * @throws StoreError `locked`, `unsupported`, `corrupt`; StoreUnavailableError if the disk fails
   */
  async open(): Promise<StoredState> {
    try {
      const { values, logs } = isFormatted(this.#logsFolder) ? await this.#openBoth() : await this.#begin();
      if (!(await this.#isBegun())) await this.#values.putMeta(HAS_LOGS, Uint8Array.of(1));
      if (values.topics.length > 0) {
        checkConverted(this.#options.directory, values.topics, logs.topics);
        await this.#values.deleteAllTopics();
      }
      const { groups, groupMembers } = values;
      return { topics: logs.topics, groups, groupMembers };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  createTopic(topic: NewTopic): Promise<StoredTopic> {
    return this.#logs.createTopic(topic);
  }

  alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    return this.#logs.alterTopic(name, configs);
  }

  addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    return this.#logs.addPartitions(name, partitionCount);
  }

  /** A crash in between leaves the topic without commits; the other way round a new one of that name would have them. */
  async deleteTopic(name: string): Promise<void> {
    if (!this.#logs.hasTopic(name)) throw noSuchTopic(name);
    await this.#values.deleteTopicOffsets(name);
    await this.#logs.deleteTopic(name);
  }

  setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    return this.#logs.setLeaderEpoch(partition, leaderEpoch);
  }

  append(partition: number, batch: NewBatch): Promise<void> {
    return this.#logs.append(partition, batch);
  }

  skipTo(partition: number, offset: number): Promise<void> {
    return this.#logs.skipTo(partition, offset);
  }

  read(partition: number, fromOffset: number, maxBytes: number, memory?: LentMemory): Promise<StoredBatch[]> {
    return this.#logs.read(partition, fromOffset, maxBytes, memory);
  }

  batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    return this.#logs.batchForTime(partition, timestamp);
  }

  offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return this.#logs.offsetForSize(partition, keepBytes);
  }

  deleteUntil(partition: number, offset: number): Promise<number> {
    return this.#logs.deleteUntil(partition, offset);
  }

  replace(partition: number, fromOffset: number, toOffset: number, batches: NewBatch[]): Promise<number> {
    return this.#logs.replace(partition, fromOffset, toOffset, batches);
  }

  putProducers(partition: number, producers: StoredProducer[]): Promise<void> {
    return this.#logs.putProducers(partition, producers);
  }

  forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    return this.#logs.forgetProducers(partition, producerIds);
  }

  saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    return this.#values.saveGroupOffsets(group, offsets);
  }

  deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    return this.#values.deleteGroupOffsets(group, partitions);
  }

  saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    return this.#values.saveGroupMembers(group, members);
  }

  deleteGroup(group: string): Promise<void> {
    return this.#values.deleteGroup(group);
  }

  putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    return this.#values.putMeta(key, value);
  }

  getMeta(key: string): Promise<Uint8Array | undefined> {
    return this.#values.getMeta(key);
  }

  swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    return this.#values.swapMeta(key, before, after);
  }

  putEntries(changes: readonly EntryChange[]): Promise<void> {
    return this.#values.putEntries(changes);
  }

  readEntries(after: string, maxBytes: number): Promise<Entry[]> {
    return this.#values.readEntries(after, maxBytes);
  }

  /** The values are those of the moment in which the logs are linked: nothing that they say of logs is missing there. */
  async snapshot(withValues: boolean): Promise<Snapshot> {
    let values: PinnedStore | undefined;
    try {
      const { name, directories, folders } = await this.#logs.snapshotWith(() => {
        if (withValues) values = new PinnedStore(this.#options.directory);
      });
      await values?.copyTo(join(folders[0]!, STORE_FILE));
      return { name, directories };
    } finally {
      values?.[Symbol.dispose]();
    }
  }

  async flush(): Promise<void> {
    await Promise.all([this.#logs.flush(), this.#values.flush()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#logs.close(), this.#values.close()]);
  }

  /** That of the part which is worse off. */
  health(): StoreHealth {
    const [logs, values] = [this.#logs.health(), this.#values.health()];
    const status = [logs, values].find((part) => part.status !== 'ready')?.status ?? 'ready';
    return {
      status,
      problem: logs.problem || values.problem,
      waitingChanges: logs.waitingChanges + values.waitingChanges,
      waitingBytes: logs.waitingBytes + values.waitingBytes,
      corruptBatches: logs.corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    const ends = [
      this.#logs.onEvent((event) =>
        listener(event.kind === 'recovered' ? recovered({ topics: event.state.topics }) : event),
      ),
      this.#values.onEvent(({ ...event }) => {
        if (event.kind !== 'recovered') return listener(event);
        const { groups, groupMembers } = event.state;
        listener(recovered({ groups, groupMembers }));
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** The logs are read while the thread of the values starts, which takes as long as it takes to read many logs. */
  async #openBoth(): Promise<OpenParts> {
    this.#lockLogs();
    this.#demandReadable();
    const [values, logs] = await Promise.allSettled([this.#values.open(), this.#logs.open()]);
    return { values: resultOf(values), logs: resultOf(logs) };
  }

  /**
   * Before the values are opened: the lock on them may have been removed, and two who write them lose what the other one wrote.
   *
   * @throws StoreError `locked`
   */
  #lockLogs(): void {
    try {
      this.#logs.lock();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'locked') throw error;
      throw inUse(this.#options.directory);
    }
  }

  /** Before the logs are opened, in which a newer version may have written what this one would take for something else. @throws StoreError `unsupported` */
  #demandReadable(): void {
    try {
      checkStoreFile(this.#options.directory);
    } catch (error) {
      // What is damaged, or missing, is for whoever opens it.
      if (error instanceof StoreError) throw error;
    }
  }

  /**
   * The folder has no logs of this form yet: it gets them.
   *
   * @throws StoreError `corrupt` where there are logs, or were
   */
  async #begin(): Promise<OpenParts> {
    const values = await this.#values.open();
    if ((await this.#isBegun()) || hasPartitions(this.#logsFolder)) {
      const missing = join(this.#logsFolder, IDENTITY_FILE);
      throw new StoreError(
        'corrupt',
        `${missing} is missing: put it, or the whole folder, back from a backup`,
      );
    }
    if (values.topics.length === 0) {
      await formatKafkaDirectory(this.#logsFolder);
    } else {
      const { directory, onConversion, segmentBytes = dataFolderSegmentBytes } = this.#options;
      const { topics } = values;
      await convertLogs({ from: this.#values, topics, directory, segmentBytes, onProgress: onConversion });
    }
    return { values, logs: await this.#logs.open() };
  }

  /** Whether it had logs of this form before. */
  async #isBegun(): Promise<boolean> {
    return (await this.#values.getMeta(HAS_LOGS)) !== undefined;
  }
}

/** What is in each part. */
interface OpenParts {
  readonly values: StoredState;
  readonly logs: StoredState;
}

function resultOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

function recovered(state: Partial<StoredState>): StoreEvent {
  return { kind: 'recovered', state };
}
