import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { forwardRetryMs, lastFlushMs, shardCount, writePatienceMs } from '../limits/cluster.ts';
import type { Cluster, Leading } from '../log/cluster.ts';
import type { Leader } from '../log/leadership.ts';
import type { KafkaAddress, Nodes } from '../log/nodes.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import { ProducerIds } from '../log/producer-ids.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { Claims } from './claims.ts';
import { connectToNats, type NatsOptions } from './connection.ts';
import { messageTeller, type NoteMessage } from './foreign-messages.ts';
import { Forwarder } from './forwarder.ts';
import { Forwards } from './forwards.ts';
import { JetStreamStore } from './jetstream-store.ts';
import { type OpenTables, openTables } from './jetstream-tables.ts';
import { Packets } from './packets.ts';
import { patiently } from './patience.ts';
import { Peers } from './peers.ts';
import { TopicNews } from './topic-news.ts';

/** Which servers of NATS, and which cluster on them. */
export interface ClusterOptions extends NatsOptions {
  /** What the names of streams and subjects begin with: several clusters may share servers. */
  readonly name: string;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
}

/**
 * Becomes a node of a cluster, which owns nothing and of which others do not hear before `begin`.
 *
 * @throws StoreError `unsupported` where the servers cannot hold logs, with what to write; StoreUnavailableError where none answers
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { clock = systemClock, logger } = options;
  const warn = (problem: string) => logger.warn({ problem }, 'a NATS server cannot be used at the moment');
  const noteForeign = messageTeller((fields) => logger.warn(fields, FOREIGN));
  const noteLost = messageTeller((fields) => logger.warn(fields, LOST));
  const told = { warn, noteForeign, noteLost };
  const store = new JetStreamStore({ ...options, ...told, shards: shardCount, clock });
  const control = await store.connect();
  let live: NatsConnection | undefined;
  try {
    live = await patiently(() => connectToNats(options), warn);
    const tables = await patiently(() => openTables(store.jetStream, options.name, options.fsync), warn);
    if (store.replicas === 1) logger.warn({}, ONE_SERVER);
    return new JetStreamCluster({ ...options, store, control, live, tables, noteForeign });
  } catch (error) {
    await live?.close();
    await store.close();
    throw error;
  }
}

const FOREIGN = 'a message that no broker of this cluster wrote is passed over';
const LOST = 'a message is on no server any more: see tinymq cluster check';
const ONE_SERVER =
  'there is one NATS server: whatever is kept is lost with its disk, and nothing is written while it is down; a cluster needs three';

interface Parts extends ClusterOptions {
  readonly store: JetStreamStore;
  /** For logs, and for what nodes say of themselves. */
  readonly control: NatsConnection;
  /** For live messages: much of them does not hold up the others. */
  readonly live: NatsConnection;
  readonly tables: OpenTables;
  readonly noteForeign: NoteMessage;
}

class JetStreamCluster implements Cluster {
  readonly store: JetStreamStore;
  readonly nodes: Nodes;
  readonly tables: OpenTables;
  readonly #parts: Parts;
  readonly #control: Watched;
  readonly #peers: Peers;
  readonly #packets: Packets;
  readonly #topicNews: TopicNews;
  readonly #forwards: Forwards;
  readonly #forwarder: Forwarder;
  #brokerId: number;
  #claims: Claims | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { name, store, control, live, noteForeign } = parts;
    const self = store.node;
    this.#brokerId = self;
    this.store = store;
    this.tables = parts.tables;
    this.#control = new Watched(control);
    const isConnected = () => this.#control.isUp;
    const onControl = { connection: control, name, self, noteForeign };
    this.#peers = new Peers({ ...onControl, isConnected, changed: () => this.#look() });
    const watchedLive = new Watched(live);
    const onLive = { connection: live, name, self, noteForeign };
    this.#packets = new Packets({ ...onLive, isConnected: () => watchedLive.isUp });
    this.#topicNews = new TopicNews({
      ...onControl,
      others: () => this.#peers.others.map(({ id }) => id),
      until: (sequence) => store.topicsUntil(sequence),
    });
    store.untilOthersKnow = (sequence) => this.#topicNews.untilOthersKnow(sequence);
    this.nodes = this.#nodes(self);
    const producerIds = new ProducerIds(store);
    this.#forwards = new Forwards(onControl);
    this.#forwarder = new Forwarder({
      shardOf: (partition) => store.shardOf(partition),
      leaderOf: (partition) => this.nodes.leaderOf(partition),
      producerId: () => producerIds.next(),
      exchange: (node, batches) => {
        const [{ partition }] = batches as [(typeof batches)[0]];
        return this.#forwards.exchange(node, batches, () => this.nodes.leaderOf(partition) === node);
      },
      append: (batches) => this.#forwards.append(batches),
    });
    store.onOwners(() => this.#look());
  }

  async begin(kafka: KafkaAddress | undefined, claimed: (seconds: number) => void = () => {}): Promise<void> {
    const { store, warn } = this.#parts;
    this.#claims = new Claims({ self: store.node, shards: store.shards, peers: this.#peers, claimed });
    if (kafka !== undefined) this.#brokerId = await patiently(() => store.brokerIdAt(kafka), warn);
    await this.#peers.begin({ kafka: kafka && { ...kafka, brokerId: this.#brokerId } });
    this.#look();
  }

  forward(partition: number, batch: UnplacedBatch): Promise<number> {
    return this.#forwarder.forward(partition, batch);
  }

  async deleteUntil(partition: number, offset: number): Promise<void> {
    const untilMs = performance.now() + writePatienceMs;
    for (;;) {
      const leader = this.nodes.leaderOf(partition);
      try {
        if (leader === 'nobody')
          throw new StoreUnavailableError('no-majority', `nobody leads partition id ${partition}`);
        await this.#forwards.deleteUntil(leader, partition, offset);
        return;
      } catch (error) {
        if (!mayPass(error) || performance.now() > untilMs) throw error;
        await pause(forwardRetryMs);
      }
    }
  }

  onForwarded(leading: Leading): () => void {
    return this.#forwards.onForwarded(leading);
  }

  send(node: number, packet: Uint8Array): void {
    this.#packets.send(node, packet);
  }

  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void {
    return this.#packets.onMessage(listener);
  }

  async leave(): Promise<void> {
    await this.#claims?.leave();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { live, store } = this.#parts;
    this.#claims?.close();
    this.#peers.close();
    this.#packets.close();
    this.#topicNews.close();
    this.#forwards.close();
    this.tables.close();
    await flushed(live);
    await live.close();
    await store.close();
  }

  #nodes(self: number): Nodes {
    const { store } = this.#parts;
    const leaderOfShard = (shard: number): Leader => this.#leaderOfShard(shard);
    const peers = this.#peers;
    const control = this.#control;
    const brokerId = () => this.#brokerId;
    return {
      self,
      get brokerId() {
        return brokerId();
      },
      get isCutOff() {
        return peers.isDeaf || !control.isUp;
      },
      get cutOffs() {
        return peers.deafnesses + control.losses;
      },
      isThere: (node) => peers.isAnswering(node),
      get others() {
        return peers.others;
      },
      get coordinator() {
        return leaderOfShard(0);
      },
      get shards() {
        const { shards } = store;
        return {
          owned: shards.filter(({ leader }) => leader === 'here').length,
          ownerless: shards.filter((_shard, number) => leaderOfShard(number) === 'nobody').length,
          behind: shards.map(({ leader }, number) => (leader === 'here' ? 0 : store.behindOf(number))),
        };
      },
      leaderOf: (partition) => leaderOfShard(store.shardOf(partition)),
    };
  }

  /** A node that does not hear itself leads nothing, and knows nothing of the others. */
  #leaderOfShard(shard: number): Leader {
    const leader = this.store.shards[shard]?.leader ?? 'nobody';
    if (leader === 'nobody' || this.#peers.isDeaf) return 'nobody';
    return leader === 'here' || this.#peers.isThere(leader) ? leader : 'nobody';
  }

  #look(): void {
    const { store } = this.#parts;
    if (this.#peers.isDeaf) store.noteUnavailable('NATS does not answer');
    else store.noteRecovered();
    this.#claims?.look();
  }
}

/** Whether another try may find another leader, or one that is ready. */
function mayPass(error: unknown): boolean {
  return error instanceof StoreError && ['not-leader', 'unavailable', 'not-found'].includes(error.code);
}

/** Resolves when the server has what was sent last, or does not answer. */
async function flushed(connection: NatsConnection): Promise<void> {
  const { promise: silence, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, lastFlushMs);
  await Promise.race([connection.flush().catch(() => {}), silence]);
  clearTimeout(timer);
}

/** A connection, and how often it was lost. */
class Watched {
  losses = 0;
  readonly #connection: NatsConnection;
  #isUp = true;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    void this.#watch();
  }

  get isUp(): boolean {
    return this.#isUp && !this.#connection.isClosed();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') {
        this.#isUp = false;
        this.losses++;
      } else if (type === 'reconnect') this.#isUp = true;
    }
  }
}
