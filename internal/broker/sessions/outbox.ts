import type { ErrorCode } from '../../errors.ts';
import { Fifo } from '../../lib/fifo.ts';
import { sessionSendAheadBytes } from '../../limits/broker.ts';
import type { Channel } from '../delivery/channel.ts';
import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message } from '../delivery/publication.ts';
import { Receipt } from '../delivery/receipt.ts';
import type { Outgoing } from './outgoing.ts';
import type { SessionStore } from './session-store.ts';
import type { WaitingTotal } from './waiting-total.ts';

/** How a connection sends what its session gives it. */
export interface Outlet {
  readonly channel: Channel;
  /** Whether runs of plain messages may go into the channel as they are. */
  readonly takesRuns: boolean;
  /** Whether the client gets one copy of a message that comes by a group and by another of its filters. */
  readonly takesOneCopy: boolean;
  /** Unacknowledged messages that the client takes. */
  readonly receiveMaximum: number;
  /**
   * Sends a message. False: the client takes no message of this size, and it counts as delivered [MQTT-3.1.2-25].
   *
   * @param packetId 0 with QoS 0.
   */
  send(message: Message, delivery: SentAs, packetId: number, isAgain: boolean): boolean;
  /** Sends the release of a QoS 2 message. */
  release(packetId: number): void;
}

/** Properties that a client gets with a message. */
export interface SentAs {
  qos: number;
  retain: boolean;
  identifiers: readonly number[];
  /** Whether it comes from the retained store, no faster than the client takes it: then it is never dropped on its way. */
  isFromStore?: boolean;
}

/** What an outbox tells whoever keeps it. */
export interface OutboxEvents {
  /** A message was not sent, and will not be: it expired, or its client takes none of its size. */
  unsent(outcome: 'expired' | 'dropped', code: ErrorCode): void;
}

export interface OutboxLimits {
  /** Messages that wait, beside those that are sent and not acknowledged. */
  queueMessages: number;
  queueBytes: number;
}

export interface OutboxParts {
  clientId: string;
  limits: OutboxLimits;
  store: SessionStore;
  total: WaitingTotal;
  events: OutboxEvents;
  /** The time of day. */
  now: () => number;
}

/** What a message that was sent waits for: of QoS 1, that it is acknowledged; of QoS 2, first one and then the other. */
export type OutboxStep = 'acknowledge' | 'receive' | 'complete';

/** The bytes that a waiting message counts in its queue beside its own. */
const ENTRY_BYTES = 200;
const LAST_PACKET_ID = 65_535;

/**
 * The deliveries of one session with QoS 1 and 2: first those sent and not acknowledged, then those that wait, each in
 * its order; never more unacknowledged messages than the client takes.
 */
export class Outbox {
  readonly #clientId: string;
  readonly #limits: OutboxLimits;
  readonly #store: SessionStore;
  readonly #total: WaitingTotal;
  readonly #events: OutboxEvents;
  readonly #now: () => number;
  readonly #waiting = new Fifo<Outgoing>();
  #waitingBytes = 0;
  /** By packet id, in the order in which they were first sent. */
  readonly #inflight = new Map<number, Outgoing>();
  /** How many of them lie in the retained store, and are not kept here. */
  #borrowed = 0;
  /** Whether a part of what the client takes is for retained messages, so that live ones leave room for them. */
  sharesWindow = false;
  /** Those of them that the present connection has not sent again yet. */
  readonly #toRepeat = new Fifo<Outgoing>();
  #outlet: Outlet | undefined;
  #lastPacketId = 0;
  #lastSequence = 0;

  constructor({ clientId, limits, store, total, events, now }: OutboxParts) {
    this.#clientId = clientId;
    this.#limits = limits;
    this.#store = store;
    this.#total = total;
    this.#events = events;
    this.#now = now;
  }

  /** Messages that were not sent yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Messages that were sent and are not acknowledged. */
  get unacknowledged(): number {
    return this.#inflight.size;
  }

  /** Retained messages that were sent and are not acknowledged. */
  get borrowed(): number {
    return this.#borrowed;
  }

  /** Whether {@link sendBorrowed} would send a message. */
  get takesBorrowed(): boolean {
    return (
      this.#outlet !== undefined &&
      this.#toRepeat.length === 0 &&
      this.#inflight.size < this.#outlet.receiveMaximum
    );
  }

  /** How full the queue is: 1 takes nothing more. */
  get fill(): number {
    const { queueMessages, queueBytes } = this.#limits;
    return Math.max(this.#waiting.length / queueMessages, this.#waitingBytes / queueBytes);
  }

  /** Sends from now on by this connection: first all again that was not acknowledged [MQTT-4.4.0-1]. */
  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#toRepeat.clear();
    for (const outgoing of this.#inflight.values()) this.#toRepeat.push(outgoing);
  }

  detach(): void {
    this.#outlet = undefined;
    this.#toRepeat.clear();
  }

  /**
   * Takes a message, and sends it at once where it need not wait, or {@link pump} does; false where the queue is full.
   *
   * @param receipt of the message, held until the store has it for this session.
   */
  offer(
    message: Message,
    delivery: Pick<Outgoing, 'qos' | 'retain' | 'identifiers' | 'shared'>,
    receipt?: Receipt,
  ): boolean {
    const outlet = this.#outlet;
    const goesAtOnce = outlet !== undefined && this.#hasNothingToSend && this.#takesMore(outlet);
    if (!goesAtOnce && this.#isFullFor(message)) return false;
    const outgoing = this.#newOutgoing(message, delivery);
    this.#store.putOutgoing(this.#clientId, outgoing, receipt);
    if (goesAtOnce) this.#sendFirst(outlet, outgoing, true);
    else this.#wait(outgoing);
    return true;
  }

  /**
   * Sends a message that can be read again elsewhere, if the client takes it now, behind all that waits: nothing of it
   * waits here. The store gets what QoS 2 cannot do without, the packet id, which must not stand for another message as
   * long as the client may know it. False where it was not sent.
   */
  sendNow(message: Message, delivery: Pick<Outgoing, 'qos' | 'retain' | 'identifiers'>): boolean {
    const outlet = this.#outlet;
    if (outlet === undefined || this.#waiting.length > 0 || !this.#takesMore(outlet)) return false;
    this.#sendFirst(
      outlet,
      this.#newOutgoing(message, { ...delivery, shared: undefined }),
      delivery.qos === 2,
    );
    return true;
  }

  /**
   * Sends a message of the retained store, if the client takes it now. It never waits here. Of QoS 1 nothing is written
   * down: the session remembers that its filter is still owed retained messages. False where it was not sent.
   */
  sendBorrowed(message: Message, delivery: Pick<Outgoing, 'qos' | 'retain' | 'identifiers'>): boolean {
    if (!this.takesBorrowed) return false;
    this.#borrowed++;
    const outgoing = this.#newOutgoing(message, { ...delivery, shared: undefined });
    outgoing.isBorrowed = true;
    this.#sendFirst(this.#outlet!, outgoing, delivery.qos === 2);
    return true;
  }

  /** Takes over what the store has, in the order of its sequence. */
  restore(outgoing: Outgoing): void {
    this.#lastSequence = Math.max(this.#lastSequence, outgoing.sequence);
    if (outgoing.packetId > 0) {
      this.#inflight.set(outgoing.packetId, outgoing);
    } else {
      this.#wait(outgoing);
    }
  }

  /** Sends as much as the client and its channel take. */
  pump(): void {
    const outlet = this.#outlet;
    if (outlet === undefined) return;
    while (this.#takesMore(outlet)) {
      const again = this.#toRepeat.shift();
      if (again !== undefined) {
        this.#repeat(outlet, again);
        continue;
      }
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitedFor(next);
      this.#sendFirst(outlet, next, true);
    }
  }

  /** The step that the message of a packet id waits for; undefined where there is none. */
  awaited(packetId: number): OutboxStep | undefined {
    const outgoing = this.#inflight.get(packetId);
    if (outgoing === undefined) return undefined;
    if (outgoing.qos === 1) return 'acknowledge';
    return outgoing.isReleased ? 'complete' : 'receive';
  }

  /** PUBACK came. False where nothing of this id waits for it. */
  acknowledge(packetId: number): boolean {
    return this.#inflight.get(packetId)?.qos === 1 && this.#finish(packetId);
  }

  /** PUBREC came: the client has the message. False where nothing of this id waits for it. */
  received(packetId: number): boolean {
    const outgoing = this.#inflight.get(packetId);
    if (outgoing?.qos !== 2) return false;
    outgoing.isReleased = true;
    // Released first and forgotten by the client, it would be a new message to it if a broker that does not remember
    // the release sent it again.
    const receipt = new Receipt();
    this.#store.putOutgoing(this.#clientId, outgoing, receipt);
    receipt.whenSettled(() => this.#outlet?.release(packetId));
    return true;
  }

  /** PUBREC came with a failure: the client does not want the message, and its id is free [MQTT-4.4.0-2]. */
  refused(packetId: number): boolean {
    return this.#inflight.get(packetId)?.qos === 2 && this.#finish(packetId);
  }

  /** PUBCOMP came. False where nothing of this id waits for it. */
  complete(packetId: number): boolean {
    return this.#inflight.get(packetId)?.isReleased === true && this.#finish(packetId);
  }

  /**
   * Takes out the messages of shared filters that another member may have: what waits, and QoS 1 that was not
   * acknowledged. A QoS 2 message that was sent stays with whom it was sent to [MQTT-4.8.2-4].
   */
  takeShared(isWanted: (filter: string) => boolean): Outgoing[] {
    const mayMove = ({ shared }: Outgoing) => shared !== undefined && isWanted(shared);
    const moved: Outgoing[] = [];
    for (const outgoing of this.#inflight.values()) {
      if (outgoing.qos === 1 && mayMove(outgoing)) moved.push(outgoing);
    }
    for (const { packetId } of moved) this.#inflight.delete(packetId);
    for (const outgoing of this.#waiting.takeIf(mayMove)) {
      this.#waitedFor(outgoing);
      moved.push(outgoing);
    }
    for (const outgoing of moved) this.#store.deleteOutgoing(outgoing);
    return moved;
  }

  /** Forgets everything, in the store too. */
  clear(): void {
    for (const outgoing of this.#inflight.values()) this.#store.deleteOutgoing(outgoing);
    for (const outgoing of this.#waiting) {
      this.#store.deleteOutgoing(outgoing);
      this.#waitedFor(outgoing);
    }
    this.#inflight.clear();
    this.#borrowed = 0;
    this.#waiting.clear();
  }

  get #hasNothingToSend(): boolean {
    return this.#waiting.length === 0 && this.#toRepeat.length === 0;
  }

  /** Whether a message may not wait here. A queue takes one in any case. */
  #isFullFor(message: Message): boolean {
    if (this.#waiting.length === 0) return false;
    const { queueMessages, queueBytes } = this.#limits;
    if (this.#waiting.length >= queueMessages || this.#total.isFull) return true;
    return this.#waitingBytes + sizeOf(message) > queueBytes;
  }

  #wait(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    this.#waitingBytes += sizeOf(outgoing.message);
    this.#total.add(outgoing.message);
  }

  /** A message was taken out of the queue. */
  #waitedFor({ message }: Outgoing): void {
    this.#waitingBytes -= sizeOf(message);
    this.#total.remove(message);
  }

  #newOutgoing(
    message: Message,
    { qos, retain, identifiers, shared }: Pick<Outgoing, 'qos' | 'retain' | 'identifiers' | 'shared'>,
  ): Outgoing {
    const sequence = ++this.#lastSequence;
    return {
      message,
      qos,
      retain,
      identifiers,
      shared,
      sequence,
      packetId: 0,
      isReleased: false,
      isBorrowed: false,
      stored: undefined,
    };
  }

  #takesMore({ receiveMaximum, channel }: Outlet): boolean {
    const repeats = this.#toRepeat.length;
    // Messages that were sent before are sent again in any case.
    const most = this.sharesWindow && repeats === 0 ? Math.floor(receiveMaximum / 2) : receiveMaximum;
    return this.#inflight.size - repeats < most && channel.waitingBytes < sessionSendAheadBytes;
  }

  #sendFirst(outlet: Outlet, outgoing: Outgoing, isKept: boolean): void {
    const { message } = outgoing;
    // [MQTT-3.3.2-5] what was not sent in time is never sent.
    if (message.expiresAtMs !== undefined && message.expiresAtMs <= this.#now()) {
      this.#forget(outgoing);
      this.#events.unsent('expired', 'message-expired');
      return;
    }
    outgoing.packetId = this.#freePacketId();
    this.#inflight.set(outgoing.packetId, outgoing);
    if (outgoing.qos === 1) {
      if (isKept) this.#store.putOutgoing(this.#clientId, outgoing);
      this.#send(outlet, outgoing, false);
      return;
    }
    // A broker that has forgotten the id of a QoS 2 message would send it again with another.
    const receipt = new Receipt();
    if (isKept) this.#store.putOutgoing(this.#clientId, outgoing, receipt);
    receipt.whenSettled(() => this.#send(outlet, outgoing, false));
  }

  #repeat(outlet: Outlet, outgoing: Outgoing): void {
    // It may have been acknowledged or moved since.
    if (this.#inflight.get(outgoing.packetId) !== outgoing) return;
    if (outgoing.isReleased) outlet.release(outgoing.packetId);
    else this.#send(outlet, outgoing, true);
  }

  #send(outlet: Outlet, outgoing: Outgoing, isAgain: boolean): void {
    // The connection may have changed while the store was writing; the next one sends it again.
    if (this.#outlet !== outlet || this.#inflight.get(outgoing.packetId) !== outgoing) return;
    if (outlet.send(outgoing.message, outgoing, outgoing.packetId, isAgain)) return;
    this.#finish(outgoing.packetId);
    this.#events.unsent('dropped', 'packet-too-large');
  }

  #finish(packetId: number): true {
    const outgoing = this.#inflight.get(packetId)!;
    this.#inflight.delete(packetId);
    this.#forget(outgoing);
    return true;
  }

  #forget(outgoing: Outgoing): void {
    if (outgoing.isBorrowed) this.#borrowed--;
    this.#store.deleteOutgoing(outgoing);
  }

  /** The next id that nothing has. There is always one: fewer than all of them are unacknowledged. */
  #freePacketId(): number {
    do {
      this.#lastPacketId = this.#lastPacketId === LAST_PACKET_ID ? 1 : this.#lastPacketId + 1;
    } while (this.#inflight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}

function sizeOf(message: Message): number {
  return messageBytes(message) + ENTRY_BYTES;
}
