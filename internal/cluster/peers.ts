import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { isCount, isFlag, isText, jsonAs, objectOf, optional, within } from '../lib/shape.ts';
import {
  nodeBeatMs,
  nodeProbeAfterMs,
  nodeProbeTimeoutMs,
  nodeSilenceMs,
  ownDeafnessMs,
} from '../limits/cluster.ts';
import type { KafkaAddress, KafkaBroker, Node } from '../log/nodes.ts';
import { listen, type NoteMessage } from './foreign-messages.ts';
import { isNobody } from './jetstream.ts';
import { isNode } from './messages.ts';

/** What a node says of itself, twice a second, on `<name>.beat`. */
export interface Beat {
  readonly node: number;
  /** Its number among the beats of this node. */
  readonly beat: number;
  /** What others are told of it. */
  readonly self: ToldFacts;
  /** It gives its shards away, and claims none. */
  readonly isLeaving?: boolean;
  /** It has ended. */
  readonly isGone?: boolean;
}

type NodeFacts = Omit<Node, 'id'>;

/** Nodes of an earlier version do not say by which Kafka's clients know them: it is their number. */
interface ToldFacts {
  readonly kafka: (KafkaAddress & Partial<KafkaBroker>) | undefined;
}

interface Peer {
  heardAtMs: number;
  /** When it was heard first; undefined for one that only somebody else speaks of. */
  sinceMs: number | undefined;
  facts: NodeFacts;
  isLeaving: boolean;
  /** NATS said that nobody has its connection. */
  isGone: boolean;
  isProbed: boolean;
}

export interface PeersParts {
  readonly connection: NatsConnection;
  /** Whether the connection is up now: what is published meanwhile would wait in memory. */
  readonly isConnected: () => boolean;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
  readonly noteForeign: NoteMessage;
  /** Somebody came or went, or this node hears itself no longer or again. */
  readonly changed: () => void;
}

/**
 * Who is there. Each node beats, and hears itself: one that does not is cut off, or stood still, and knows nothing of the others.
 * What is decided by this may be wrong for a while, and costs time then, never a message: the log elects its writer.
 */
export class Peers {
  readonly #parts: PeersParts;
  readonly #peers = new Map<number, Peer>();
  readonly #subscriptions: Subscription[];
  readonly #timer: NodeJS.Timeout;
  /** By its number, when a beat of this node was sent that has not come back. */
  readonly #sent = new Map<number, number>();
  #beat = 0;
  /** When the last beat was sent that came back. Before this node beats, it is as good as heard. */
  #echoedMs = performance.now();
  #self: NodeFacts | undefined;
  #isLeaving = false;
  #wasDeaf = false;
  /** How often this node did not hear itself. */
  deafnesses = 0;

  constructor(parts: PeersParts) {
    this.#parts = parts;
    const { connection, name, self, noteForeign } = parts;
    this.#subscriptions = [
      listen(connection, `${name}.beat`, ({ data }) => this.#hear(beatOf(data)), noteForeign),
      listen(connection, `${name}.node.${self}.ping`, (ping) => void ping.respond(), noteForeign),
    ];
    this.#timer = setInterval(() => this.#look(), nodeBeatMs).unref();
  }

  /** From now on others hear of this node. Resolves when it hears itself. */
  async begin(self: NodeFacts): Promise<void> {
    this.#self = self;
    this.#echoedMs = performance.now();
    this.#sendBeat({});
    await this.#parts.connection.flush();
  }

  /** The other ones that are there. */
  get others(): readonly Node[] {
    const others: Node[] = [];
    for (const [id, { facts, sinceMs, isGone }] of this.#peers) {
      if (sinceMs !== undefined && !isGone) others.push({ ...facts, id });
    }
    return others.sort((a, b) => a.id - b.id);
  }

  /** The numbers of those that may own shards, of this node too. @param minAgeMs for how long they were there at least. */
  candidates(minAgeMs: number): number[] {
    const sinceMs = performance.now() - minAgeMs;
    const candidates = this.hasBegun && !this.#isLeaving ? [this.#parts.self] : [];
    for (const [id, peer] of this.#peers) {
      if (peer.isGone || peer.isLeaving || peer.sinceMs === undefined || peer.sinceMs > sinceMs) continue;
      candidates.push(id);
    }
    return candidates;
  }

  get hasBegun(): boolean {
    return this.#self !== undefined;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Whether this node did not hear itself for so long that others may take it for gone. */
  get isDeaf(): boolean {
    return this.#self !== undefined && performance.now() - this.#echoedMs > ownDeafnessMs;
  }

  isThere(node: number): boolean {
    const peer = this.#peers.get(node);
    return peer?.sinceMs !== undefined && !peer.isGone;
  }

  /** Whether a node is certainly not to be waited for. One of which nothing was heard yet is asked first. */
  isGone(node: number): boolean {
    const peer = this.#peers.get(node);
    if (peer !== undefined) return peer.isGone;
    const nowMs = performance.now();
    const unheard = { heardAtMs: nowMs, sinceMs: undefined, facts: UNKNOWN, isLeaving: false };
    this.#peers.set(node, { ...unheard, isGone: false, isProbed: false });
    void this.#probe(node);
    return false;
  }

  /** Asks a node until it answers, or until it has to count as gone; false where this node knows nothing of the others. */
  async isAnswering(node: number): Promise<boolean> {
    const { connection, name } = this.#parts;
    const untilMs = performance.now() + nodeSilenceMs;
    while (!this.isDeaf && performance.now() < untilMs) {
      try {
        await connection.request(`${name}.node.${node}.ping`, '', { timeout: nodeProbeTimeoutMs });
        return true;
      } catch (error) {
        if (isNobody(error)) return false;
        await pause(PING_AGAIN_MS);
      }
    }
    return false;
  }

  /** Others give this node no shards any more. Resolves when they know. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    if (this.#self === undefined || !this.#parts.isConnected()) return;
    this.#sendBeat({});
    await this.#parts.connection.flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#sendBeat({ isGone: true });
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  #sendBeat(more: Pick<Beat, 'isGone'>): void {
    const { connection, isConnected, name, self } = this.#parts;
    if (!isConnected() || this.#self === undefined) return;
    const says = { self: this.#self, isLeaving: this.#isLeaving, ...more };
    const beat: Beat = { node: self, beat: ++this.#beat, ...says };
    this.#sent.set(this.#beat, performance.now());
    this.#sent.delete(this.#beat - KEPT_BEATS);
    connection.publish(`${name}.beat`, JSON.stringify(beat));
  }

  #hear(beat: Beat): void {
    if (beat.node === this.#parts.self) this.#hearSelf(beat.beat);
    else this.#hearOther(beat);
  }

  /** A beat that stood still with this process tells nothing: when it was sent counts. */
  #hearSelf(number: number): void {
    const sentMs = this.#sent.get(number);
    if (sentMs === undefined) return;
    for (const earlier of this.#sent.keys()) if (earlier <= number) this.#sent.delete(earlier);
    // It may have been deaf since it looked last.
    this.#noteDeafness();
    this.#echoedMs = Math.max(this.#echoedMs, sentMs);
    this.#noteDeafness();
  }

  #hearOther({ node, self: { kafka }, isLeaving = false, isGone = false }: Beat): void {
    const facts = { kafka: kafka && { brokerId: node, ...kafka } };
    const nowMs = performance.now();
    const known = this.#peers.get(node);
    const isNew = known === undefined || known.isGone || known.sinceMs === undefined;
    const sinceMs = isNew ? nowMs : known.sinceMs;
    this.#peers.set(node, { heardAtMs: nowMs, sinceMs, facts, isLeaving, isGone, isProbed: false });
    if (isNew || isGone || known.isLeaving !== isLeaving) this.#parts.changed();
  }

  #look(): void {
    this.#sendBeat({});
    this.#noteDeafness();
    if (this.isDeaf) return;
    const nowMs = performance.now();
    for (const [node, peer] of this.#peers) {
      const silentMs = nowMs - peer.heardAtMs;
      if (peer.isGone) {
        if (silentMs > FORGOTTEN_AFTER_MS) this.#peers.delete(node);
      } else if (silentMs > nodeSilenceMs) this.#lose(peer);
      else if (silentMs > nodeProbeAfterMs) void this.#probe(node);
    }
  }

  /** After its own deafness a node gives everybody as much time as if they had just been heard. */
  #noteDeafness(): void {
    const { isDeaf } = this;
    if (isDeaf === this.#wasDeaf) return;
    this.#wasDeaf = isDeaf;
    if (isDeaf) this.deafnesses++;
    if (!isDeaf) for (const peer of this.#peers.values()) peer.heardAtMs = performance.now();
    this.#parts.changed();
  }

  /** Asks a node whether it is there. What counts is that NATS knows of no such connection. */
  async #probe(node: number): Promise<void> {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.isProbed) return;
    peer.isProbed = true;
    const { connection, name } = this.#parts;
    try {
      await connection.request(`${name}.node.${node}.ping`, '', { timeout: nodeProbeTimeoutMs });
      peer.heardAtMs = performance.now();
    } catch (error) {
      if (isNobody(error) && !this.isDeaf && this.#peers.get(node) === peer) this.#lose(peer);
    } finally {
      peer.isProbed = false;
    }
  }

  #lose(peer: Peer): void {
    peer.isGone = true;
    this.#parts.changed();
  }
}

const isBeat = objectOf<Beat>({
  ...{ node: isNode, beat: isCount, isLeaving: optional(isFlag), isGone: optional(isFlag) },
  self: objectOf<ToldFacts>({
    kafka: optional(
      objectOf<NonNullable<ToldFacts['kafka']>>({
        host: isText,
        port: within(0, 65_535),
        brokerId: optional(isNode),
      }),
    ),
  }),
});

/** @throws Error for what is no beat. */
export function beatOf(data: Uint8Array): Beat {
  return jsonAs(isBeat, data, 'a beat of a node');
}

/** After an answer that says nothing, which may come at once. */
const PING_AGAIN_MS = 100;
/** Of a node that was not heard. */
const UNKNOWN: NodeFacts = { kafka: undefined };
/** So many of its own beats may be on their way. */
const KEPT_BEATS = 60;
/** A node that is gone comes back under another number. */
const FORGOTTEN_AFTER_MS = 60_000;
