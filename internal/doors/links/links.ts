import type { Broker, Logger } from '../../broker/broker.ts';
import type { Encoding } from '../../broker/delivery/publication.ts';
import type { ClockTimer } from '../../lib/clock.ts';
import { linkBeatMs } from '../../limits/links.ts';
import type { Nodes } from '../../log/nodes.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { parseShared } from '../../topic.ts';
import { Incoming } from './incoming.ts';
import {
  type InterestPacket,
  jsonPacket,
  PacketKind,
  readJson,
  readMessages,
  readTaken,
  takenPacket,
} from './packets.ts';
import { LinkShare, PeerLink } from './peer-link.ts';

/** The way from node to node: at most once, in order. */
export interface LinkTransport {
  readonly nodes: Nodes;
  send(node: number, packet: Uint8Array): void;
  /** Returns what ends that. */
  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void;
}

export interface LinksParts {
  readonly transport: LinkTransport;
  readonly broker: Broker;
  readonly frames: Encoding;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Another node wants a filter, or does no longer. */
  routed(filter: string): void;
}

/** What is counted of links; nothing, where there are none. */
export function linkMetrics(metrics: Metrics, count: () => number = () => 0) {
  metrics.gauge('links', count);
  return {
    lost: metrics.counter('link_messages_lost_total'),
    sent: metrics.counter('link_messages_sent_total'),
    received: metrics.counter('link_messages_received_total'),
  };
}

/** Another node. */
interface Peer {
  readonly id: number;
  readonly link: PeerLink;
  readonly incoming: Incoming;
  /** What it wants, with what stands for it among the receivers here. */
  readonly filters: Map<string, PeerLink | LinkShare>;
  /** The version of its filters that is known here. */
  version: number | undefined;
}

/**
 * Live messages between the nodes of a cluster. Each node tells the others which filters it has subscribers of, and stands in
 * their tables of routes as one receiver more. Versions show whoever missed a change, who then asks for all.
 */
export class Links {
  readonly #parts: LinksParts;
  readonly #metrics: ReturnType<typeof linkMetrics>;
  readonly #peers = new Map<number, Peer>();
  readonly #ends: (() => void)[];
  readonly #beat: ClockTimer;
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();
  #version = 0;
  #isScheduled = false;

  constructor(parts: LinksParts) {
    this.#parts = parts;
    const { transport, broker, metrics } = parts;
    this.#metrics = linkMetrics(metrics, () => this.#peers.size);
    this.#ends = [
      transport.onMessage((from, packet) => this.#take(from, packet)),
      broker.routes.subscribed.onChange((filter, isWanted) => this.#noteChange(filter, isWanted)),
    ];
    this.#beat = broker.clock.every(linkBeatMs, () => this.look());
    this.look();
  }

  close(): void {
    this.#beat.cancel();
    for (const end of this.#ends) end();
    for (const peer of [...this.#peers.values()]) this.#forget(peer);
  }

  /** Looks who is there, and says which version the filters here have. */
  look(): void {
    const { transport } = this.#parts;
    const there = new Set(transport.nodes.others.map(({ id }) => id));
    for (const peer of [...this.#peers.values()]) if (!there.has(peer.id)) this.#forget(peer);
    for (const id of there) {
      this.#peerOf(id);
      transport.send(id, jsonPacket(PacketKind.beat, { version: this.#version }));
    }
  }

  #peerOf(id: number): Peer {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const { transport, broker, frames } = this.#parts;
    const { lost, sent, received } = this.#metrics;
    const add = (counter: { value: number }) => (count: number) => {
      counter.value += count;
    };
    const send = (packet: Uint8Array) => transport.send(id, packet);
    const peer: Peer = {
      id,
      link: new PeerLink({ frames, send, sent: add(sent), lost: add(lost) }),
      incoming: new Incoming({
        ...{ broker, frames, from: id, received: add(received), lost: add(lost) },
        taken: (sequence) => send(takenPacket(sequence)),
      }),
      filters: new Map(),
      version: undefined,
    };
    this.#peers.set(id, peer);
    this.#parts.logger.info({ node: id }, 'another node is there');
    return peer;
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer.id);
    for (const filter of [...peer.filters.keys()]) this.#detach(peer, filter);
    peer.link.close();
    this.#parts.logger.info({ node: peer.id }, 'another node is gone');
  }

  #noteChange(filter: string, isWanted: boolean): void {
    if (!isRoutable(filter)) return;
    (isWanted ? this.#removed : this.#added).delete(filter);
    (isWanted ? this.#added : this.#removed).add(filter);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#tellChanges());
  }

  #tellChanges(): void {
    this.#isScheduled = false;
    const since = this.#version++;
    const changes = { version: this.#version, since, added: [...this.#added], removed: [...this.#removed] };
    this.#added.clear();
    this.#removed.clear();
    const packet = jsonPacket(PacketKind.interest, changes satisfies InterestPacket);
    for (const id of this.#peers.keys()) this.#parts.transport.send(id, packet);
  }

  #tellAll(id: number): void {
    const added = [...this.#parts.broker.routes.subscribed.filters()].filter(isRoutable);
    const all: InterestPacket = { version: this.#version, added, removed: [] };
    this.#parts.transport.send(id, jsonPacket(PacketKind.interest, all));
  }

  #take(from: number, packet: Uint8Array): void {
    const peer = this.#peerOf(from);
    try {
      this.#takePacket(peer, packet);
    } catch (error) {
      const fields = { node: from, error: (error as Error).message };
      this.#parts.logger.error(fields, 'a packet of another node cannot be read');
    }
  }

  #takePacket(peer: Peer, packet: Uint8Array): void {
    switch (packet[0]) {
      case PacketKind.interest:
        this.#takeInterest(peer, readJson<InterestPacket>(packet));
        return;
      case PacketKind.beat:
        if (readJson<{ version: number }>(packet).version !== peer.version) this.#ask(peer);
        return;
      case PacketKind.ask:
        this.#tellAll(peer.id);
        return;
      case PacketKind.messages:
        peer.incoming.take(readMessages(packet));
        return;
      case PacketKind.taken:
        peer.link.taken(readTaken(packet));
    }
  }

  #ask({ id }: Peer): void {
    this.#parts.transport.send(id, Uint8Array.of(PacketKind.ask));
  }

  #takeInterest(peer: Peer, { version, since, added, removed }: InterestPacket): void {
    if (since !== undefined && since !== peer.version) {
      this.#ask(peer);
      return;
    }
    if (since === undefined) {
      const wanted = new Set(added);
      for (const filter of [...peer.filters.keys()]) if (!wanted.has(filter)) this.#detach(peer, filter);
    }
    for (const filter of removed) this.#detach(peer, filter);
    for (const filter of added) this.#attach(peer, filter);
    peer.version = version;
  }

  #attach(peer: Peer, filter: string): void {
    if (peer.filters.has(filter)) return;
    const receiver = parseShared(filter) === undefined ? peer.link : new LinkShare(peer.link, filter);
    peer.filters.set(filter, receiver);
    this.#parts.broker.attach(filter, receiver);
    this.#parts.routed(parseShared(filter)?.filter ?? filter);
  }

  #detach(peer: Peer, filter: string): void {
    const receiver = peer.filters.get(filter);
    if (receiver === undefined) return;
    peer.filters.delete(filter);
    this.#parts.broker.detach(filter, receiver);
    this.#parts.routed(parseShared(filter)?.filter ?? filter);
  }
}

/** What a broker tells of itself stays with it. */
function isRoutable(filter: string): boolean {
  return !(parseShared(filter)?.filter ?? filter).startsWith('$');
}
