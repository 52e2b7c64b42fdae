import type { Clock } from '../lib/clock.ts';
import { noSuchPartition } from '../store/batch-rules.ts';
import type { FsyncPolicy, StoredPartition } from '../store/log-store.ts';
import { BatchSearch } from './batch-search.ts';
import { makeStream } from './connection.ts';
import { isGroupSubject } from './group-records.ts';
import type { JetStream } from './jetstream.ts';
import { JetStreamShard, NO_FACTS } from './jetstream-shard.ts';
import type { PartitionPlaces } from './partition-places.ts';
import { patiently } from './patience.ts';
import { Shard, type ShardEvents } from './shard.ts';
import { ShardNews } from './shard-news.ts';
import { storedPartition } from './shard-state.ts';
import type { StoreNews } from './store-news.ts';

export interface ShardsParts {
  /** What the names of streams and subjects begin with. */
  readonly name: string;
  readonly fsync: FsyncPolicy;
  readonly clock: Clock;
  /** Told while servers cannot be used, which is waited for. */
  readonly warn: (problem: string) => void;
  readonly places: PartitionPlaces;
  readonly news: StoreNews;
  /** This node owns a shard from now on, or no longer. */
  readonly ownership: (number: number, isOwner: boolean) => void;
}

/** A shard with its stream, what finds batches in it, and what the log above is told of it. */
export interface OpenShard {
  readonly shard: Shard;
  readonly stream: JetStreamShard;
  readonly search: BatchSearch;
  readonly news: ShardNews;
}

/** The shards of a cluster, as a node has them open. */
export class Shards {
  readonly #parts: ShardsParts;
  readonly #all: OpenShard[] = [];
  #count = 0;
  /** By its subject, the last message about a group. */
  readonly groupSequences = new Map<string, number>();

  constructor(parts: ShardsParts) {
    this.#parts = parts;
  }

  /** Opens all of them, each with what is stored by now. They follow what comes when they are told. */
  async open(jetStream: JetStream, node: number, count: number): Promise<void> {
    this.#count = count;
    const numbers = Array.from({ length: count }, (_, number) => number);
    this.#all.push(...(await Promise.all(numbers.map((number) => this.#open(jetStream, node, number)))));
  }

  follow(): void {
    for (const { shard } of this.#all) shard.follow();
  }

  close(): void {
    for (const { shard } of this.#all.splice(0)) shard.close();
  }

  /** In the order of their numbers; empty until they are open. */
  get all(): readonly OpenShard[] {
    return this.#all;
  }

  /** Which shard a partition is in. */
  numberOf(partition: number): number {
    return partition % this.#count;
  }

  /** The shard of a partition, also of one that no topic has. */
  of(partition: number): OpenShard {
    return this.#all[this.numberOf(partition)]!;
  }

  /** The shard of a partition of a topic. @throws StoreError `not-found` */
  ofPlaced(partition: number): OpenShard {
    if (!this.#parts.places.has(partition)) throw noSuchPartition(partition);
    return this.of(partition);
  }

  /** Whether there may be anything of a partition. */
  isLeft(partition: number): boolean {
    const shard = this.of(partition) as OpenShard | undefined;
    return shard === undefined || shard.shard.state.partition(partition) !== undefined;
  }

  /** What is known of a partition, in the words of the stores. */
  stored(id: number, number: number): StoredPartition {
    const { state } = this.of(id).shard;
    return storedPartition(id, number, state.partition(id), state.epoch);
  }

  async #open(jetStream: JetStream, node: number, number: number): Promise<OpenShard> {
    const { name, fsync, clock, warn } = this.#parts;
    const prefix = `${name}.${number}.`;
    const wanted = { name: `${name}-L${number}`, subjects: [`${prefix}>`], isLastOnly: false };
    await patiently(() => makeStream(jetStream, wanted, fsync), warn);
    const stream = new JetStreamShard(jetStream, wanted.name, prefix);
    const news: ShardNews = this.#news(number, () => shard);
    const events = this.#events(number, () => search, news, stream);
    const shard: Shard = new Shard({ node, stream, clock, events });
    const search: BatchSearch = new BatchSearch(stream, shard.state);
    const stored = await patiently(() => stream.lastOfSubjects(), warn);
    shard.state.restore(stored);
    for (const { subject, sequence } of stored) {
      if (isGroupSubject(subject)) this.groupSequences.set(subject, sequence);
    }
    // The replica that answered may be behind.
    await patiently(() => shard.catchUp(), warn);
    return { shard, stream, search, news };
  }

  #news(number: number, shard: () => Shard): ShardNews {
    const { places, news } = this.#parts;
    return new ShardNews({
      shard,
      numberOf: (id) => places.numberOf(id),
      partitions: () => places.ids().filter((id) => this.numberOf(id) === number),
      tell: (event) => news.tell(event),
    });
  }

  #events(
    number: number,
    search: () => BatchSearch,
    shardNews: ShardNews,
    stream: JetStreamShard,
  ): ShardEvents {
    const { news, ownership } = this.#parts;
    return {
      applied: (message, facts) => {
        search().note(message.sequence, facts);
        shardNews.note(facts);
        if (facts.kind === 'group') this.groupSequences.set(message.subject, message.sequence);
        if (facts.kind === 'marker') news.tellOwners();
      },
      foreign: (subject) => stream.noteForeign(subject, NO_FACTS),
      ownership: (isOwner) => {
        if (isOwner) shardNews.tellLeads();
        else shardNews.noteFollows();
        ownership(number, isOwner);
        news.tellOwners();
      },
      damaged: (partition, baseOffset, lastOffset) => news.tellCorrupt(partition, baseOffset, lastOffset),
    };
  }
}
