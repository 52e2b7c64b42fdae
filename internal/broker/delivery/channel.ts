import { copiedSliceBytes, handOverBytes } from '../../limits/broker.ts';
import { ANSWER, ChannelQueue, KEPT } from './channel-queue.ts';
import { ChannelTotal } from './channel-total.ts';
import { HeldFeeders } from './held-feeders.ts';
import type { Borrower } from './lent-chunk.ts';
import { Portion } from './portion.ts';
import type { Encoding, Message, Publication } from './publication.ts';
import type { Source } from './source.ts';
import type { Flushable, Turn } from './turn.ts';

export type { Source } from './source.ts';

/** Where a channel's bytes go: the socket of its client. */
export interface Sink {
  /**
   * Takes all of these bytes, in order. False: they are taken, but nothing more is wanted until the owner calls
   * {@link Channel.ready}.
   */
  write(buffers: readonly Uint8Array[]): boolean;
  /** Whether a large entry may not be cut for it, because it looks at the messages in it. */
  readonly wantsWhole?: boolean;
  /** Whether it takes answers although it wants no messages now. */
  readonly takesAnswers?: boolean;
  /** Who brings what it waits for, and so must not be kept from being read by messages that wait for that. */
  readonly creditSource?: Source | undefined;
  /** Whether the system has all that it took. Default: it cannot tell. */
  readonly isWritten?: boolean;
}

/** A publisher that cannot be asked to wait: the broker itself. */
export const unpausable: Source = { pause() {}, resume() {} };

/** A receiver of every message of its filters: a session, or a log. */
export interface Receiver {
  /** Whose it is; undefined of a log. */
  readonly clientId?: string | undefined;
  /** What it subscribed to, where it does not leave that to the client of its channel. */
  filters?(): Iterable<string>;
  /**
   * The channel that takes everything of this receiver as it is, so that the broker gives it there without a detour. Whoever
   * changes this says so ({@link Routes.changed}).
   */
  readonly direct?: Channel | undefined;
  /** Whether it may have messages of a topic; asked where subscriptions may be wider than that. Default: yes. */
  mayGet?(topic: string): boolean;
  /** Takes a run; see {@link Publication} for what may be kept of it. */
  deliver(publication: Publication): void;
  /** Whether publishers should wait for it. */
  readonly isFull: boolean;
  /** Whether every node has one of its own, as a log has its capture: then it is no reason to send a message here. */
  readonly isOfNode?: boolean;
  /** Whether it keeps what it gets. Then it holds the receipt of a publication that has one. */
  readonly isDurable?: boolean;
  /** Pauses the publisher of a run until it is no longer full for what that run asked for. */
  holdBack(feeder: Source, publication: Publication): void;
  /** Whether it takes nothing of this topic that was read from this log, so that nothing need be read for it. */
  passesOver?(topic: string, fromLog: string): boolean;
}

export const SLOW_CONSUMER_POLICIES = ['drop-new', 'drop-oldest', 'disconnect'] as const;
/** The policy for messages of a slow subscriber. */
export type SlowConsumerPolicy = (typeof SLOW_CONSUMER_POLICIES)[number];

export interface ChannelLimits {
  /** Messages that wait before publishers pause. */
  channelSize: number;
  /** Bytes that wait before publishers pause. */
  channelBytes: number;
  slowConsumer: SlowConsumerPolicy;
  /** How long publishers pause for a full channel, and one of them for all of its channels together. */
  slowConsumerWaitMs: number;
}

/** Events of a channel, for its owner. */
export interface ChannelEvents {
  /** Of the client that it is the channel of. */
  readonly clientId?: string | undefined;
  /** It did not drain in time: an episode of being slow begins. With policy `disconnect` the owner closes it. */
  slow(): void;
  /** The episode is over; so many messages were dropped in it. */
  recovered(dropped: number): void;
  /**
   * Messages were dropped.
   *
   * @param messages as values, for whoever wants to know what they were.
   */
  dropped(count: number, bytes: number, messages: () => readonly Message[]): void;
  /** Bytes that may wait, where its owner may have fewer than any other. Asked only while some wait. */
  mostWaitingBytes?(): number;
}

/** After a slow episode, for this many waits, publishers do not wait for the channel again. */
const WAITS_WITHOUT_PATIENCE = 10;
/** About as many entries hold all messages that may wait, so that dropping the oldest is cheap, and drops few at once. */
const ENTRIES = 64;

type State = 'flowing' | 'full' | 'slow' | 'closed';

/**
 * The queue of one subscriber whose socket takes no more. Bounded: see {@link ChannelLimits}.
 *
 * The bound is a high-water mark. A run is accepted whole; a channel that is over the mark then makes the
 * publishers that feed it pause until half of that is left. One that does not come down in time is slow: publishers go
 * on, and the policy decides what becomes of its messages. So a subscriber that is a little slower than its publisher
 * loses nothing, and one that is stuck stops nobody for longer than the wait. The time counts from when its socket last
 * took something: a channel that took long to fill is slow at once.
 *
 * The socket gets no more at once than it takes soon, so that a slow one is told from one that is stuck.
 *
 * It is longer than other classes because it is one machine of states: what comes, what the socket takes and who waits change the
 * same fields, and every message passes here, so that another object in between would be paid for each time.
 */
export class Channel implements Flushable, Borrower {
  /** Messages handed over to the sink so far. */
  delivered = 0;

  readonly encoding: Encoding;
  /** The encoding of what may be handed over as it is beside that. */
  readonly #plain: Encoding;
  readonly #sink: Sink;
  readonly #limits: ChannelLimits;
  readonly #turn: Turn;
  readonly #events: ChannelEvents;
  readonly #total: ChannelTotal;
  readonly #queue: ChannelQueue;

  #state: State = 'flowing';
  #dirty = false;
  /** Whether the sink asked to wait, and when it last took something by then. */
  #blocked = false;
  #blockedAtMs = 0;
  /** What it got then. */
  #blockedBytes = 0;
  #portion: Portion | undefined;
  /** The bytes of the queue that the total counts. */
  #countedBytes = 0;

  #feeders: HeldFeeders | undefined;
  /** Sources paused until the number of bytes has gone out; unlike feeders they are never released early. */
  #ownRequests: Map<Source, number> | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #fullAtMs = 0;
  /** How long the present feeders wait. */
  #patienceMs = 0;
  /** Whether it came down in time when it was last full. */
  #isTrusted = false;
  /** Before this time a full channel is slow at once. */
  #noPatienceBefore = 0;
  #droppedInEpisode = 0;

  constructor(
    encoding: Encoding,
    sink: Sink,
    limits: ChannelLimits,
    turn: Turn,
    events: ChannelEvents,
    total = new ChannelTotal(Number.POSITIVE_INFINITY),
  ) {
    this.encoding = encoding;
    this.#plain = encoding.plain ?? encoding;
    this.#sink = sink;
    this.#limits = limits;
    this.#turn = turn;
    this.#events = events;
    this.#total = total;
    this.#queue = new ChannelQueue(Math.max(1, Math.floor(limits.channelSize / ENTRIES)));
  }

  get clientId(): string | undefined {
    return this.#events.clientId;
  }

  /** Whether publishers should wait for it. */
  get isFull(): boolean {
    return this.#state === 'full';
  }

  get isSlow(): boolean {
    return this.#state === 'slow';
  }

  /** Whether the sink asked to wait. Whoever has more than enough for a client sends nothing then. */
  get isBlocked(): boolean {
    return this.#blocked;
  }

  /** Messages that wait for the sink. */
  get waitingMessages(): number {
    return this.#queue.messages;
  }

  /** Bytes of messages that wait for the sink. */
  get waitingBytes(): number {
    return this.#queue.messageBytes + this.#queue.keptBytes;
  }

  /** Bytes of answers that wait for the sink. */
  get waitingControlBytes(): number {
    return this.#queue.answerBytes;
  }

  /** Whether everything that was accepted has been handed to the sink, and the sink has room again. */
  get isDrained(): boolean {
    return !this.#blocked && this.#queue.isEmpty;
  }

  /** Accepts a run, or drops it when the channel is slow. */
  deliver(publication: Publication): void {
    if (this.#state === 'slow' && this.#limits.slowConsumer !== 'drop-oldest') {
      this.#drop(publication.count, publication.end - publication.start, () => publication.messages());
      return;
    }
    if (this.#state === 'closed') return;
    if (publication.encoding === this.encoding || publication.encoding === this.#plain) {
      const { bytes, start, end, count } = publication;
      if (end - start <= copiedSliceBytes) this.#queue.copy(bytes, start, end, count);
      else this.#queue.push(this.#blocked ? publication.kept() : publication.borrow(this), count);
    } else {
      const bytes = publication.as(this.encoding);
      if (bytes.length <= copiedSliceBytes) this.#queue.copy(bytes, 0, bytes.length, publication.count);
      else this.#queue.push(bytes, publication.count);
    }
    this.#joinTurn();
    if (this.#blocked && this.#isOver(1)) this.#overflow();
  }

  /** Queues an answer of the protocol, in order with the messages. Answers are never dropped. */
  control(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#queue.append(bytes, ANSWER);
    this.#joinTurn();
  }

  /**
   * Queues a message that is never dropped here, because whoever sends it knows how many are under way. It counts against
   * no mark: publishers of other messages do not wait for it.
   */
  enqueueUndroppable(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#queue.append(bytes, KEPT);
    this.#joinTurn();
  }

  /**
   * Queues such a message, whose bytes the caller writes at once into {@link room}, from the place on that this returns: it costs no
   * buffer of its own.
   */
  makeRoomUndroppable(length: number): number {
    const start = this.#queue.makeRoom(length, KEPT);
    // Nothing leaves by one that is closed, but whoever asks has to write somewhere.
    if (this.#state === 'closed') this.#queue.clear();
    else this.#joinTurn();
    return start;
  }

  get room(): Uint8Array {
    return this.#queue.room;
  }

  /** Pauses a publisher until this channel is no longer full, or its patience is over, which makes the channel slow. */
  holdBack(feeder: Source): void {
    if (feeder === this.#sink.creditSource) return;
    this.#feeders ??= new HeldFeeders();
    if (this.#feeders.has(feeder)) return;
    const { slowConsumerWaitMs } = this.#limits;
    const nowMs = performance.now();
    const patienceMs = feeder.patience?.leftMs(slowConsumerWaitMs, nowMs, this.#isTrusted);
    if (patienceMs !== undefined && patienceMs < this.#patienceMs) {
      this.#patienceMs = patienceMs;
      if (!this.#waitOn(nowMs)) return;
    }
    this.#feeders.add(feeder, nowMs);
  }

  /** Pauses somebody until what waits now has gone out: this channel's own client, or who feeds it more than it takes. */
  holdBackAsker(asker: Source): void {
    this.#ownRequests ??= new Map();
    if (this.#ownRequests.has(asker)) return;
    const { goneBytes, answerBytes, bytes } = this.#queue;
    this.#ownRequests.set(asker, goneBytes + (asker === this.#sink.creditSource ? answerBytes : bytes));
    asker.pause();
    // Somebody who waits for nothing is let go at the end of the turn.
    if (!this.#blocked && this.#state !== 'closed') this.#joinTurn();
  }

  /** The sink has room again. */
  ready(): void {
    if (this.#blocked) {
      this.#blocked = false;
      this.#portion ??= new Portion();
      this.#portion.took(this.#blockedBytes, performance.now());
    }
    this.#queue.flow();
    this.flush();
  }

  /** Hands over what waits, if the sink takes it. Called at the end of each turn in which something came. */
  flush(): void {
    this.#dirty = false;
    this.#flush();
  }

  /** The same in the middle of a turn. */
  giveBack(): boolean {
    this.#flush();
    return this.#queue.isEmpty && this.#sink.isWritten === true;
  }

  /** Hands over all that waits, whether the sink wants it or not: nothing comes after it but a last word. */
  finish(): void {
    if (this.#state === 'closed') return;
    if (!this.#queue.isEmpty) this.#handOver(Number.POSITIVE_INFINITY);
    this.flush();
  }

  /** Drops what waits and lets everybody go who waits for this channel. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#waitTimer);
    this.#queue.clear();
    this.#countInTotal();
    this.#feeders?.release();
    this.#releaseAskers();
  }

  /** Has what waits written at the end of this turn. */
  #joinTurn(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#turn.add(this);
  }

  #flush(): void {
    if (this.#state === 'closed') return;
    while (!this.#blocked && !this.#queue.isEmpty) this.#handOver(this.#portion?.bytes ?? handOverBytes);
    if (this.#blocked && this.#sink.takesAnswers === true) this.#handOverAnswers();
    this.#countInTotal();
    if (this.#state === 'full' && !this.#isOver(1 / 2)) this.#flowAgain();
    else if (this.#state === 'slow' && this.#queue.isEmpty) this.#flowAgain();
    if (this.#ownRequests !== undefined) this.#releaseAskers();
  }

  #handOver(mostBytes: number): void {
    const queue = this.#queue;
    const { messages, goneBytes } = queue;
    const buffers = queue.take(mostBytes, this.#sink.wantsWhole);
    this.delivered += messages - queue.messages;
    if (this.#sink.write(buffers)) return;
    this.#blocked = true;
    this.#blockedAtMs = performance.now();
    this.#blockedBytes = queue.goneBytes - goneBytes;
    queue.wait();
  }

  /** Answers overtake messages that the sink does not want yet. */
  #handOverAnswers(): void {
    const buffers = this.#queue.takeAnswers();
    if (buffers.length > 0) this.#sink.write(buffers);
  }

  /** Only what waits longer than a turn is in the total. */
  #countInTotal(): void {
    const { bytes } = this.#queue;
    if (bytes === this.#countedBytes) return;
    this.#total.bytes += bytes - this.#countedBytes;
    this.#countedBytes = bytes;
  }

  /** Whether more waits than a part of what may. */
  #isOver(part: number): boolean {
    const { messages, messageBytes } = this.#queue;
    return messages >= Math.max(1, part * this.#limits.channelSize) || messageBytes >= part * this.#mostBytes;
  }

  get #mostBytes(): number {
    const own = this.#events.mostWaitingBytes?.() ?? Number.POSITIVE_INFINITY;
    return Math.max(1, Math.min(this.#limits.channelBytes, this.#total.shareBytes, own));
  }

  #overflow(): void {
    if (this.#state === 'slow') {
      // A little more than is too much, so that not each message has the whole queue looked through.
      const mostBytes = this.#mostBytes * (1 - 1 / ENTRIES);
      const { messages, bytes, entries } = this.#queue.drop(this.#limits.channelSize, mostBytes);
      if (messages > 0) this.#drop(messages, bytes, () => this.#decoded(entries));
    } else if (this.#state === 'flowing') {
      const nowMs = performance.now();
      this.#state = 'full';
      this.#fullAtMs = nowMs;
      this.#patienceMs = nowMs < this.#noPatienceBefore ? 0 : this.#limits.slowConsumerWaitMs;
      this.#waitOn(nowMs);
    }
  }

  /** Waits until patience is over; whether it is not over yet. */
  #waitOn(nowMs: number): boolean {
    // A sink that took something since the channel was full has shown that it is not stuck, and gets the whole time.
    const leftMs = Math.min(this.#blockedAtMs, this.#fullAtMs) + this.#patienceMs - nowMs;
    clearTimeout(this.#waitTimer);
    if (leftMs <= 0) {
      this.#becomeSlow(nowMs);
      return false;
    }
    this.#waitTimer = setTimeout(() => this.#waitIsOver(), leftMs).unref();
    return true;
  }

  #waitIsOver(): void {
    if (this.#state === 'full') this.#waitOn(performance.now());
  }

  #becomeSlow(nowMs: number): void {
    this.#state = 'slow';
    this.#isTrusted = false;
    this.#droppedInEpisode = 0;
    this.#feeders?.giveUp(nowMs);
    this.#events.slow();
  }

  #flowAgain(): void {
    const wasSlow = this.#state === 'slow';
    this.#state = 'flowing';
    clearTimeout(this.#waitTimer);
    if (wasSlow) {
      this.#noPatienceBefore = performance.now() + WAITS_WITHOUT_PATIENCE * this.#limits.slowConsumerWaitMs;
      this.#events.recovered(this.#droppedInEpisode);
    } else {
      this.#isTrusted = true;
    }
    this.#feeders?.release();
  }

  #drop(count: number, bytes: number, messages: () => readonly Message[]): void {
    this.#droppedInEpisode += count;
    this.#events.dropped(count, bytes, messages);
  }

  #decoded(entries: readonly Uint8Array[]): Message[] {
    return entries.flatMap((bytes) => this.encoding.decode(bytes, ''));
  }

  /** Lets those go whose bytes have gone. */
  #releaseAskers(): void {
    const askers = this.#ownRequests;
    if (askers === undefined) return;
    const { goneBytes } = this.#queue;
    const isClosed = this.#state === 'closed';
    for (const [asker, untilBytes] of [...askers]) {
      if (!isClosed && untilBytes > goneBytes) continue;
      askers.delete(asker);
      asker.resume();
    }
    if (askers.size === 0) this.#ownRequests = undefined;
  }
}
