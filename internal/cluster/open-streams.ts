import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';
import type { FsyncPolicy, StoredState } from '../store/log-store.ts';
import { agreedShardCount, nextNode } from './agreed-numbers.ts';
import { connectToNats, makeStream, type NatsOptions } from './connection.ts';
import { Coordination } from './coordination.ts';
import type { NoteMessage } from './foreign-messages.ts';
import { GroupRecords } from './group-records.ts';
import { JetStream } from './jetstream.ts';
import { Meta } from './meta.ts';
import { Shards } from './open-shards.ts';
import { PartitionPlaces } from './partition-places.ts';
import { patiently } from './patience.ts';
import { StoreNews } from './store-news.ts';
import { Topics } from './topics.ts';

export interface JetStreamStoreOptions extends NatsOptions {
  /** What the names of streams and subjects begin with: several clusters may share servers. */
  readonly name: string;
  /** `commit`: only servers that sync what they acknowledge hold logs. */
  readonly fsync: FsyncPolicy;
  /** Shards of a cluster that is not there yet. */
  readonly shards: number;
  readonly clock: Clock;
  readonly noteForeign?: NoteMessage | undefined;
  /** Told of what no server has any more. */
  readonly noteLost?: NoteMessage | undefined;
}

/** The streams of a cluster, opened one after the other: first what all nodes agree on, then the shards. */
export class OpenStreams {
  readonly news = new StoreNews();
  readonly shards: Shards;
  readonly #options: JetStreamStoreOptions;
  readonly #places = new PartitionPlaces();
  #connection: NatsConnection | undefined;
  /** Once it is connected, as `meta` and `topics` are. */
  jetStream!: JetStream;
  meta!: Meta;
  topics!: Topics;
  /** Once the shards are open. */
  coordination: Coordination | undefined;
  /** The number of this node, which no other one has or had. */
  node = 0;
  /** How many servers hold what is stored. */
  replicas = 0;
  /** Has the other nodes take up what was changed of topics, up to a sequence. */
  untilOthersKnow: (sequence: number) => Promise<void> = async () => {};

  constructor(options: JetStreamStoreOptions) {
    this.#options = options;
    const { name, fsync, clock, warn = () => {} } = options;
    this.shards = new Shards({
      ...{ name, fsync, clock, warn, places: this.#places, news: this.news },
      ownership: (number, isOwner) => {
        if (number === 0) this.coordination?.note(isOwner);
        if (isOwner) void this.topics.gone.giveBack(number);
      },
    });
  }

  /**
   * Connects, unless it is, and gives this node its number.
   * @throws StoreUnavailableError where no server answers; StoreError `unsupported` where they cannot hold logs
   */
  async connect(): Promise<NatsConnection> {
    if (this.#connection !== undefined) return this.#connection;
    const { name, fsync } = this.#options;
    const connection = await this.#patiently(() => connectToNats(this.#options));
    this.#connection = connection;
    try {
      const { noteForeign, noteLost } = this.#options;
      this.jetStream = new JetStream(connection, noteForeign, noteLost);
      const meta = { name: `${name}-meta`, subjects: [`${name}.meta.>`], isLastOnly: true };
      this.replicas = await this.#patiently(() => makeStream(this.jetStream, meta, fsync));
      await this.#patiently(() => this.#openTopics(meta.name));
      return connection;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Resolves with all that lasts beside batches. */
  async open(): Promise<StoredState> {
    await this.connect();
    try {
      const groups = await this.#openShards();
      return { topics: this.topics.stored(), ...(await this.#patiently(() => groups.load())) };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.coordination?.close();
    this.meta?.close();
    this.shards.close();
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #openTopics(stream: string): Promise<void> {
    const prefix = `${this.#options.name}.meta.`;
    const nobody = { name: 'nobody', changed: () => {}, isLeft: () => true };
    this.node = await nextNode(new Meta(this.jetStream, stream, prefix, nobody));
    this.meta = new Meta(this.jetStream, stream, prefix, {
      name: String(this.node),
      changed: (name, before, after) => this.topics.changed(name, before, after),
      isLeft: (partition) => this.shards.isLeft(partition),
    });
    this.topics = new Topics({
      ...{ meta: this.meta, shards: this.shards, places: this.#places, news: this.news },
      groups: async () => this.coordination!.records(),
      untilOthersKnow: (sequence) => this.untilOthersKnow(sequence),
    });
    await this.topics.open();
  }

  async #openShards(): Promise<GroupRecords> {
    const count = await this.#patiently(() => agreedShardCount(this.meta, this.#options.shards));
    await this.shards.open(this.jetStream, this.node, count);
    const { shard, stream } = this.shards.all[0]!;
    const topic = (name: string) => this.meta.known(name);
    const groups = new GroupRecords({ shard, stream, sequences: this.shards.groupSequences, topic });
    this.coordination = new Coordination(shard, groups, (event) => this.news.tell(event));
    this.shards.follow();
    return groups;
  }

  #patiently<T>(act: () => Promise<T>): Promise<T> {
    return patiently(act, this.#options.warn);
  }
}
