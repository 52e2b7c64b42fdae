import type { NodeStatus, OtherNode } from '../../admin/nodes-view.ts';
import type { Broker, Logger } from '../../broker/broker.ts';
import type { Encoding } from '../../broker/delivery/publication.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import type { ClockTimer } from '../../lib/clock.ts';
import { linkBeatMs } from '../../limits/links.ts';
import type { Nodes } from '../../log/nodes.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { parseShared } from '../../topic.ts';
import { ClientClaims } from './claims.ts';
import { Incoming } from './incoming.ts';
import { OwnInterest } from './own-interest.ts';
import {
  type BeatPacket,
  type ClaimsPacket,
  type InterestPacket,
  jsonPacket,
  type MissingPacket,
  PacketKind,
  readPacket,
  takenPacket,
} from './packets.ts';
import { LinkShare, PeerLink } from './peer-link.ts';

/** The way from node to node: at most once, in order. */
export interface LinkTransport {
  readonly nodes: Nodes;
  send(node: number, packet: Uint8Array): void;
  /** What `listener` throws at is passed over. Returns what ends that. */
  onMessage(listener: (from: number, packet: Uint8Array) => void): () => void;
}

export interface LinksParts {
  readonly transport: LinkTransport;
  readonly broker: Broker;
  readonly sessions: Pick<Sessions, 'clientIsElsewhere'>;
  readonly frames: Encoding;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Another node wants a filter, or does no longer. */
  routed(filter: string): void;
  /** What this node says of itself. */
  status(): NodeStatus;
}

/** What is counted of links; nothing, where there are none. */
export function linkMetrics(metrics: Metrics, links: () => readonly PeerLink[] = () => []) {
  metrics.gauge('links', () => links().length);
  metrics.gauge('link_bytes_waiting', () => links().reduce((sum, { waitingBytes }) => sum + waitingBytes, 0));
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
  /** The parts of all its filters that were heard. */
  heard: string[][];
  /** The version of its clients that is known here. */
  claims: number | undefined;
  /** What it said of itself last. */
  status: NodeStatus | undefined;
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
  readonly #interest: OwnInterest;
  readonly #claims: ClientClaims;

  constructor(parts: LinksParts) {
    this.#parts = parts;
    const { transport, broker, sessions, metrics } = parts;
    this.#metrics = linkMetrics(metrics, () => Array.from(this.#peers.values(), ({ link }) => link));
    this.#interest = new OwnInterest({
      routes: broker.routes,
      peers: () => this.#peers.keys(),
      send: (packet, node) => transport.send(node, jsonPacket(PacketKind.interest, packet)),
    });
    this.#claims = new ClientClaims({
      ...{ broker, sessions, self: transport.nodes.self },
      send: (packet, node) => this.#sendTo(node, jsonPacket(PacketKind.claims, packet)),
      refuse: (claim, node) => transport.send(node, jsonPacket(PacketKind.refusal, claim)),
    });
    this.#ends = [
      transport.onMessage((from, packet) => this.#take(from, packet)),
      () => this.#interest.close(),
      () => this.#claims.close(),
    ];
    this.#beat = broker.clock.every(linkBeatMs, () => this.look());
    this.look();
  }

  close(): void {
    this.#beat.cancel();
    for (const { link } of this.#peers.values()) link.flush();
    for (const end of this.#ends) end();
    for (const peer of [...this.#peers.values()]) this.#forget(peer);
  }

  /** Looks who is there, and says which version the filters here have. */
  look(): void {
    const { transport, status } = this.#parts;
    const there = new Set(transport.nodes.others.map(({ id }) => id));
    for (const peer of [...this.#peers.values()]) if (!there.has(peer.id)) this.#forget(peer);
    const [version, claims] = [this.#interest.version, this.#claims.version];
    const said = { version, claims, status: status() };
    for (const id of there) {
      const beat: BeatPacket = { ...said, ...this.#peerOf(id).link.beat() };
      transport.send(id, jsonPacket(PacketKind.beat, beat));
    }
  }

  /** The other nodes, and the ways there. */
  others(): OtherNode[] {
    return Array.from(this.#peers.values(), ({ id, status, filters, link }) => ({
      ...{ id, status, filters: filters.size },
      ...{ waitingBytes: link.waitingBytes, lost: link.lost, isSlow: link.isSlow },
    }));
  }

  #sendTo(node: number | undefined, packet: Uint8Array): void {
    const { transport } = this.#parts;
    for (const id of node === undefined ? this.#peers.keys() : [node]) transport.send(id, packet);
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
        ...{ broker, frames, from: id, received: add(received) },
        taken: (sequence) => send(takenPacket(sequence)),
        missing: (first, last) =>
          send(jsonPacket(PacketKind.missing, { first, last } satisfies MissingPacket)),
      }),
      filters: new Map(),
      ...{ version: undefined, heard: [], claims: undefined, status: undefined },
    };
    this.#peers.set(id, peer);
    this.#parts.logger.info({ node: id }, 'another node is there');
    return peer;
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer.id);
    for (const filter of [...peer.filters.keys()]) this.#detach(peer, filter);
    peer.link.close();
    this.#interest.forget(peer.id);
    this.#parts.logger.info({ node: peer.id }, 'another node is gone');
  }

  /** @throws for what cannot be read. */
  #take(from: number, bytes: Uint8Array): void {
    const packet = readPacket(bytes);
    const peer = this.#peerOf(from);
    peer.link.heard();
    switch (packet.kind) {
      case PacketKind.interest:
        this.#takeInterest(peer, packet.interest);
        return;
      case PacketKind.beat:
        this.#takeBeat(peer, packet.beat);
        return;
      case PacketKind.ask:
        this.#interest.tellAll(peer.id);
        return;
      case PacketKind.known:
        this.#interest.known(peer.id, packet.version);
        return;
      case PacketKind.claims:
        this.#takeClaims(peer, packet.claims);
        return;
      case PacketKind.askClaims:
        this.#claims.tellAll(peer.id);
        return;
      case PacketKind.refusal:
        this.#claims.takeRefusal(packet.claim);
        return;
      case PacketKind.missing:
        peer.link.missing(packet.missing.first, packet.missing.last);
        return;
      case PacketKind.messages:
        peer.incoming.take(packet.messages);
        return;
      case PacketKind.taken:
        peer.link.taken(packet.sequence);
    }
  }

  #ask({ id }: Peer, kind: number): void {
    this.#parts.transport.send(id, Uint8Array.of(kind));
  }

  #takeBeat(peer: Peer, { version, claims, status, ...packets }: BeatPacket): void {
    peer.status = status;
    peer.incoming.noteBeat(packets);
    if (version !== peer.version) this.#ask(peer, PacketKind.ask);
    if (claims !== peer.claims) this.#ask(peer, PacketKind.askClaims);
  }

  #takeInterest(peer: Peer, packet: InterestPacket): void {
    const { version, since, added, removed } = packet;
    const isAll = since === undefined;
    const all = isAll ? takePart(peer, packet) : undefined;
    if (version === undefined) return;
    if (isAll ? all === undefined : since !== peer.version) {
      this.#ask(peer, PacketKind.ask);
      return;
    }
    const gone = all === undefined ? removed : [...peer.filters.keys()].filter((filter) => !all.has(filter));
    for (const filter of gone) this.#detach(peer, filter);
    for (const filter of all ?? added) this.#attach(peer, filter);
    peer.version = version;
    this.#parts.transport.send(peer.id, jsonPacket(PacketKind.known, { version }));
  }

  #takeClaims(peer: Peer, { claims, since, version }: ClaimsPacket): void {
    this.#claims.take(claims, peer.id);
    if (since !== undefined && since !== peer.claims) this.#ask(peer, PacketKind.askClaims);
    else if (version !== undefined) peer.claims = version;
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

/** All filters of a node, with the last part of them; undefined where a part is missing, or follows. */
function takePart(peer: Peer, { added, part, parts }: InterestPacket): Set<string> | undefined {
  if (part === 0 || parts === 0) peer.heard = [];
  peer.heard.push(added);
  return parts === undefined || peer.heard.length !== parts + 1 ? undefined : new Set(peer.heard.flat());
}
