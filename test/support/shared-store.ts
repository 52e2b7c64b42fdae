import type { Cluster, Leading } from '../../internal/log/cluster.ts';
import type { Leader } from '../../internal/log/leadership.ts';
import type { KafkaAddress, Node, Nodes } from '../../internal/log/nodes.ts';
import type { UnplacedBatch } from '../../internal/log/partition-log.ts';
import type { LogStore, NewBatch, NewTopic, StoreEvent } from '../../internal/store/log-store.ts';
import { MemoryStore } from '../../internal/store/memory/memory-store.ts';
import { StoreError } from '../../internal/store/store-error.ts';
import { FakeTables } from './fake-tables.ts';

/**
 * A cluster in one process: brokers that share a store in memory, one of which leads all partitions and coordinates groups. A
 * test says which.
 */
export class SharedStore {
  readonly store = new MemoryStore();
  readonly members: FakeMember[] = [];
  readonly tables = new FakeTables();
  leader: FakeMember | undefined;
  epoch = 0;
  /** Whether a packet between nodes is lost. */
  loses: (from: number, to: number, packet: Uint8Array) => boolean = () => false;

  async open(count: number): Promise<this> {
    await this.store.open();
    for (let index = 0; index < count; index++) this.add();
    return this;
  }

  /** One node more, whose number is new. */
  add(): FakeMember {
    const member = new FakeMember(this.members.length + 1, this);
    this.members.push(member);
    return member;
  }

  /** Nobody leads for a while, then this node does, with all that was written before. */
  async move(to: FakeMember, pauseMs = 0): Promise<void> {
    const before = this.leader;
    this.leader = undefined;
    this.epoch++;
    const partitions = async () => (await this.store.open()).topics.flatMap((topic) => topic.partitions);
    for (const member of this.members) {
      for (const { id } of await partitions()) {
        member.tell({ kind: 'follows', partition: id, leaderEpoch: this.epoch });
      }
    }
    before?.tell({ kind: 'groups', groups: 'elsewhere' });
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    for (const { id } of await partitions()) await this.store.setLeaderEpoch(id, this.epoch);
    const { topics, ...groups } = await this.store.open();
    for (const partition of topics.flatMap((topic) => topic.partitions))
      to.tell({ kind: 'leads', partition });
    to.tell({ kind: 'groups', groups });
    this.leader = to;
    for (const member of this.members) {
      if (member === to) continue;
      for (const { id } of await partitions()) {
        member.tell({ kind: 'follows', partition: id, leaderEpoch: this.epoch });
      }
    }
  }

  /** Tells all but one. */
  tellOthers(than: FakeMember, event: StoreEvent): void {
    for (const member of this.members) if (member !== than) member.tell(event);
  }
}

/** One of the brokers, as it sees the others. */
export class FakeMember implements Cluster {
  readonly id: number;
  readonly store: LogStore;
  readonly nodes: Nodes;
  readonly tables: ReturnType<FakeTables['ofNode']>;
  kafka: Node['kafka'];
  isThere = false;
  /** Whether it reaches nobody, and nobody reaches it. */
  isCutOff = false;
  cutOffs = 0;
  leading: Leading | undefined;
  readonly packetListeners = new Set<(from: number, packet: Uint8Array) => void>();
  readonly #shared: SharedStore;
  readonly #listeners = new Set<(event: StoreEvent) => void>();

  constructor(id: number, shared: SharedStore) {
    this.id = id;
    this.#shared = shared;
    this.store = this.#asSeenHere();
    this.tables = shared.tables.ofNode(() => this.isCutOff);
    const member = this;
    const leader = (): Leader => (shared.leader === this ? 'here' : (shared.leader?.id ?? 'nobody'));
    this.nodes = {
      self: id,
      brokerId: id,
      get others() {
        return shared.members.filter((member) => member.id !== id && member.isThere);
      },
      get coordinator() {
        return leader();
      },
      leaderOf: leader,
      get isCutOff() {
        return member.isCutOff;
      },
      get cutOffs() {
        return member.cutOffs;
      },
      isThere: async (node) => shared.members.some((other) => other.id === node && other.isThere),
    };
  }

  /** Nobody hears it any more, as if it had been killed; it may come back as if it had only stood still. */
  cutOff(): void {
    this.isThere = false;
    this.isCutOff = true;
    this.cutOffs++;
  }

  comeBack(): void {
    this.isCutOff = false;
    this.isThere = true;
    this.tables.catchUp();
  }

  tell(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async begin(kafka: KafkaAddress | undefined): Promise<void> {
    this.kafka = kafka && { ...kafka, brokerId: this.id };
    this.isThere = true;
    if (this.#shared.leader === undefined) await this.#shared.move(this);
  }

  async forward(partitionId: number, batch: UnplacedBatch): Promise<number> {
    return this.#leading.append(partitionId, batch);
  }

  async deleteUntil(partitionId: number, offset: number): Promise<void> {
    await this.#leading.deleteUntil(partitionId, offset);
  }

  get #leading(): Leading {
    const { leading } = this.#shared.leader ?? {};
    if (leading === undefined) throw new StoreError('not-leader', 'nobody leads');
    return leading;
  }

  async leave(): Promise<void> {}

  async close(): Promise<void> {}

  /** Packets arrive in a later turn, in their order. */
  send(node: number, packet: Uint8Array): void {
    const copy = packet.slice();
    setImmediate(() => {
      if (this.isCutOff || this.#shared.loses(this.id, node, copy)) return;
      const to = this.#shared.members.find(({ id, isThere }) => id === node && isThere);
      for (const listener of to?.packetListeners ?? []) listener(this.id, copy);
    });
  }

  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void {
    this.packetListeners.add(listener);
    return () => this.packetListeners.delete(listener);
  }

  onForwarded(leading: Leading): () => void {
    this.leading = leading;
    return () => {
      this.leading = undefined;
    };
  }

  /** The store that is shared, of which only the leader's changes of logs and groups are taken. */
  #asSeenHere(): LogStore {
    const shared = this.#shared;
    const { store } = shared;
    const demandLead = () => {
      if (shared.leader !== this) throw new StoreError('not-leader', `node ${this.id} does not lead`);
    };
    const own: Partial<LogStore> = {
      limits: { maxBatchBytes: 8 * 1024 * 1024, canReplace: false, maxGroupBytes: 1024 * 1024 },
      close: async () => {
        this.isThere = false;
      },
      confirm: async () => demandLead(),
      onEvent: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      append: async (partition: number, batch: NewBatch) => {
        demandLead();
        await store.append(partition, batch);
        const { nextOffset, maxTimestamp, sizeBytes } = await this.#state(partition);
        shared.tellOthers(this, { kind: 'advanced', partition, nextOffset, maxTimestamp, sizeBytes });
      },
      createTopic: async (topic: NewTopic) => {
        const created = await store.createTopic(topic);
        shared.tellOthers(this, { kind: 'topic', topic: created });
        return created;
      },
      deleteTopic: async (topic: string) => {
        await store.deleteTopic(topic);
        shared.tellOthers(this, { kind: 'deleted', topic });
      },
      saveGroupOffsets: async (...given) => {
        demandLead();
        await store.saveGroupOffsets(...given);
      },
      saveGroupMembers: async (...given) => {
        demandLead();
        await store.saveGroupMembers(...given);
      },
    };
    return new Proxy(store, {
      get(target, name) {
        const value = own[name as keyof LogStore] ?? target[name as keyof MemoryStore];
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }) as LogStore;
  }

  async #state(partition: number) {
    const { topics } = await this.#shared.store.open();
    return topics.flatMap((topic) => topic.partitions).find(({ id }) => id === partition)!;
  }
}
