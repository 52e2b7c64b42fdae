import { copiedSliceBytes, largestSlabBytes, smallestSlabBytes } from '../limits.ts';
import type { Encoding, Publication } from './publication.ts';
import type { Flushable, Turn } from './turn.ts';

/** Where a channel's bytes go: the socket of its client. */
export interface Sink {
  /**
   * Takes all of these bytes, in order. False: they are taken, but nothing more is wanted until the owner calls
   * {@link Channel.ready}.
   */
  write(buffers: readonly Uint8Array[]): boolean;
}

/** Somebody who can be asked to stop feeding a channel for a while: the connection of a publisher. */
export interface Source {
  /** Stop reading. Counted: as many calls of {@link resume} make it go on. */
  pause(): void;
  resume(): void;
}

/** A publisher that cannot be asked to wait: the broker itself. */
export const nobody: Source = { pause() {}, resume() {} };

/** Who gets every message of a filter: a subscriber's channel, or a log. */
export interface Receiver {
  /** Takes a run; see {@link Publication} for what may be kept of it. */
  deliver(publication: Publication): void;
  /** Whether publishers should wait for it. */
  readonly isFull: boolean;
  /** Whether it keeps what it gets. Then it holds the receipt of a publication that has one. */
  readonly isKeeper?: boolean;
  /** Pauses the publisher of a run until it is no longer full for what that run asked for. */
  holdBack(feeder: Source, publication: Publication): void;
  /** Whether it takes nothing of this topic that was read from this log, so that nothing need be read for it. */
  passesOver?(topic: string, fromLog: string): boolean;
}

export const SLOW_CONSUMER_POLICIES = ['drop-new', 'drop-oldest', 'disconnect'] as const;
/** What happens to the messages of a subscriber that is slow. */
export type SlowConsumerPolicy = (typeof SLOW_CONSUMER_POLICIES)[number];

export interface ChannelLimits {
  /** Messages that wait before publishers pause. */
  channelSize: number;
  /** Bytes that wait before publishers pause. */
  channelBytes: number;
  slowConsumer: SlowConsumerPolicy;
  /** How long publishers pause for a full channel. */
  slowConsumerWaitMs: number;
}

/** What the owner of a channel learns from it. */
export interface ChannelEvents {
  /** It did not drain in time: an episode of being slow begins. With policy `disconnect` the owner closes it. */
  slow(): void;
  /** The episode is over; so many messages were dropped in it. */
  recovered(dropped: number): void;
  /** Messages were dropped. */
  dropped(count: number): void;
}

/** After a slow episode, for this many waits, publishers do not wait for the channel again. */
const WAITS_WITHOUT_PATIENCE = 10;
/** So many answers in a turn are queued as they lie. */
const FEW_ANSWERS = 4;
/** Below this a loop over the bytes is faster than the runtime's own copy. */
const SHORT_COPY_BYTES = 96;

type State = 'flowing' | 'full' | 'slow' | 'closed';

/**
 * What waits for one subscriber because its socket takes no more. Bounded: see {@link ChannelLimits}.
 *
 * The bound is a high-water mark. A run is accepted whole; a channel that is over the mark then makes the
 * publishers that feed it pause until it has drained. One that does not drain in time is slow: publishers go on,
 * and the policy decides what becomes of its messages. So a subscriber that is a little slower than its publisher
 * loses nothing, and one that is stuck stops nobody for longer than the wait.
 *
 * Short runs are copied one behind the other into a slab, so that they cost one write together; long ones are
 * handed on as they lie. A buffer that was queued is never written again: the slab only grows behind it.
 */
export class Channel implements Flushable, Receiver {
  /** Messages handed over to the sink so far. */
  delivered = 0;
  /** Messages dropped so far. */
  dropped = 0;

  readonly encoding: Encoding;
  readonly #sink: Sink;
  readonly #limits: ChannelLimits;
  readonly #turn: Turn;
  readonly #events: ChannelEvents;

  #state: State = 'flowing';
  #dirty = false;
  /** Whether the sink asked to wait. */
  #blocked = false;

  // The queue: buffers and, at the same index, how many messages each holds (0: a control frame).
  #buffers: Uint8Array[] = [];
  #counts: number[] = [];
  #waitingMessages = 0;
  #waitingBytes = 0;
  #waitingControlBytes = 0;
  /** Entries before this one do not keep a larger buffer alive. */
  #compactedEntries = 0;

  // The end of the queue may be a growing part of a slab that is not an entry yet.
  #slab: Uint8Array | undefined;
  #slabStart = 0;
  #slabEnd = 0;
  #slabMessages = 0;
  #nextSlabBytes = smallestSlabBytes;
  /** Bytes copied since the last hand-over, which tell how large the next slab should be. */
  #copiedBytes = 0;

  #feeders: Set<Source> | undefined;
  /** Who does nothing more until all of this has gone out; unlike a feeder it is never released early. */
  #askers: Set<Source> | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  /** Before this time a full channel is slow at once. */
  #noPatienceBefore = 0;
  #droppedInEpisode = 0;

  constructor(encoding: Encoding, sink: Sink, limits: ChannelLimits, turn: Turn, events: ChannelEvents) {
    this.encoding = encoding;
    this.#sink = sink;
    this.#limits = limits;
    this.#turn = turn;
    this.#events = events;
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
    return this.#waitingMessages;
  }

  /** Bytes that wait for the sink. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes of answers that wait for the sink. */
  get waitingControlBytes(): number {
    return this.#waitingControlBytes;
  }

  /** Whether everything that was accepted has been handed to the sink, and the sink has room again. */
  get isDrained(): boolean {
    return !this.#blocked && this.#buffers.length === 0 && this.#slabStart === this.#slabEnd;
  }

  /** Accepts a run, or drops it when the channel is slow. */
  deliver(publication: Publication): void {
    if (this.#state === 'slow' && this.#limits.slowConsumer !== 'drop-oldest') {
      this.#drop(publication.count);
      return;
    }
    if (this.#state === 'closed') return;
    let length: number;
    if (publication.encoding === this.encoding) {
      length = publication.end - publication.start;
      if (length <= copiedSliceBytes) {
        this.#copy(publication.bytes, publication.start, publication.end, publication.count);
      } else {
        this.#push(publication.view(), publication.count);
      }
    } else {
      const bytes = publication.as(this.encoding);
      length = bytes.length;
      if (length <= copiedSliceBytes) this.#copy(bytes, 0, length, publication.count);
      else this.#push(bytes, publication.count);
    }
    this.#waitingMessages += publication.count;
    this.#waitingBytes += length;
    this.#joinTurn();
    if (this.#blocked && this.#isOverMark()) this.#overflow();
  }

  /** Queues an answer of the protocol, in order with the messages. Answers are never dropped. */
  control(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#append(bytes);
    this.#waitingControlBytes += bytes.length;
    this.#joinTurn();
  }

  /** Queues a message that is never dropped here, because whoever sends it knows how many are under way. */
  keep(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#append(bytes);
    this.#waitingBytes += bytes.length;
    this.#joinTurn();
  }

  /** Pauses a publisher until this channel is no longer full. */
  holdBack(feeder: Source): void {
    this.#feeders ??= new Set();
    if (this.#feeders.has(feeder)) return;
    this.#feeders.add(feeder);
    feeder.pause();
  }

  /** Pauses this channel's own client until its answers have gone out. */
  holdBackAsker(asker: Source): void {
    this.#askers ??= new Set();
    if (this.#askers.has(asker)) return;
    this.#askers.add(asker);
    asker.pause();
    // Somebody who waits for nothing is let go at the end of the turn.
    if (!this.#blocked && this.#state !== 'closed') this.#joinTurn();
  }

  /** The sink has room again. */
  ready(): void {
    this.#blocked = false;
    this.flush();
  }

  /** Hands over what waits, if the sink takes it. Called at the end of each turn in which something came. */
  flush(): void {
    this.#dirty = false;
    if (this.#state === 'closed') return;
    this.#seal();
    if (this.#blocked) {
      this.#compact();
      return;
    }
    if (this.#buffers.length > 0) this.#handOver();
    if (this.#state !== 'flowing') this.#flowAgain();
    this.#releaseAskers();
  }

  /** Drops what waits and lets everybody go who waits for this channel. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#waitTimer);
    this.#clearQueue();
    this.#slab = undefined;
    this.#slabStart = this.#slabEnd;
    this.#slabMessages = 0;
    this.#releaseFeeders();
    this.#releaseAskers();
  }

  /** Has what waits written at the end of this turn. */
  #joinTurn(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#turn.add(this);
  }

  #handOver(): void {
    const buffers = this.#buffers;
    this.delivered += this.#waitingMessages;
    this.#nextSlabBytes = slabBytesFor(this.#copiedBytes);
    this.#copiedBytes = 0;
    this.#clearQueue();
    if (!this.#sink.write(buffers)) this.#blocked = true;
  }

  #clearQueue(): void {
    this.#buffers = [];
    this.#counts.length = 0;
    this.#waitingMessages = 0;
    this.#waitingBytes = 0;
    this.#waitingControlBytes = 0;
    this.#compactedEntries = 0;
  }

  /** Queues bytes that are never dropped; short ones without a buffer of their own. */
  #append(bytes: Uint8Array): void {
    // A client that is told little is not worth a slab, which it would keep.
    const isLittle = this.#slab === undefined && this.#buffers.length < FEW_ANSWERS;
    if (bytes.length > copiedSliceBytes || (isLittle && this.#nextSlabBytes === smallestSlabBytes)) {
      this.#push(bytes, 0);
      return;
    }
    // What may be dropped lies in other entries.
    if (this.#slabMessages > 0) this.#seal();
    this.#copyIntoSlab(bytes, 0, bytes.length);
  }

  #copy(bytes: Uint8Array, start: number, end: number, count: number): void {
    if (this.#slabMessages === 0) this.#seal();
    this.#copyIntoSlab(bytes, start, end);
    this.#slabMessages += count;
  }

  #copyIntoSlab(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let slab = this.#slab;
    if (slab === undefined || slab.length - this.#slabEnd < length) slab = this.#newSlab(length);
    let to = this.#slabEnd;
    if (length <= SHORT_COPY_BYTES) {
      for (let from = start; from < end; from++) slab[to++] = bytes[from];
    } else {
      slab.set(bytes.subarray(start, end), to);
      to += length;
    }
    this.#slabEnd = to;
    this.#copiedBytes += length;
  }

  #newSlab(atLeastBytes: number): Uint8Array {
    if (this.#slab !== undefined) {
      this.#seal();
      this.#nextSlabBytes = Math.min(2 * this.#nextSlabBytes, largestSlabBytes);
    }
    const slab = new Uint8Array(Math.max(this.#nextSlabBytes, atLeastBytes));
    this.#slab = slab;
    this.#slabStart = 0;
    this.#slabEnd = 0;
    return slab;
  }

  /** Makes the growing part of the slab an entry of the queue. */
  #seal(): void {
    if (this.#slabStart === this.#slabEnd) return;
    const slab = this.#slab!;
    this.#buffers.push(slab.subarray(this.#slabStart, this.#slabEnd));
    this.#counts.push(this.#slabMessages);
    this.#slabStart = this.#slabEnd;
    this.#slabMessages = 0;
    // What is left would hold no more than a message or two; a quiet subscriber then keeps no slab at all.
    if (slab.length - this.#slabEnd < slab.length >>> 2) this.#slab = undefined;
  }

  #push(bytes: Uint8Array, count: number): void {
    this.#seal();
    this.#buffers.push(bytes);
    this.#counts.push(count);
  }

  /** Copies what has to wait and is a small part of a larger buffer, so that it does not keep all of that alive. */
  #compact(): void {
    for (; this.#compactedEntries < this.#buffers.length; this.#compactedEntries++) {
      const bytes = this.#buffers[this.#compactedEntries]!;
      if (bytes.length < bytes.buffer.byteLength / 2) {
        this.#buffers[this.#compactedEntries] = new Uint8Array(bytes);
      }
    }
    this.#slab = undefined;
  }

  #isOverMark(): boolean {
    return (
      this.#waitingMessages >= this.#limits.channelSize || this.#waitingBytes >= this.#limits.channelBytes
    );
  }

  #overflow(): void {
    if (this.#state === 'slow') {
      this.#dropOldest();
    } else if (this.#state === 'flowing') {
      if (performance.now() < this.#noPatienceBefore) {
        this.#becomeSlow();
      } else {
        this.#state = 'full';
        this.#waitTimer ??= setTimeout(this.#waitIsOver, this.#limits.slowConsumerWaitMs).unref();
        this.#waitTimer.refresh();
      }
    }
  }

  readonly #waitIsOver = (): void => {
    if (this.#state === 'full') this.#becomeSlow();
  };

  #becomeSlow(): void {
    this.#state = 'slow';
    this.#droppedInEpisode = 0;
    this.#releaseFeeders();
    this.#events.slow();
  }

  #flowAgain(): void {
    const wasSlow = this.#state === 'slow';
    this.#state = 'flowing';
    if (wasSlow) {
      this.#noPatienceBefore = performance.now() + WAITS_WITHOUT_PATIENCE * this.#limits.slowConsumerWaitMs;
      this.#events.recovered(this.#droppedInEpisode);
    }
    this.#releaseFeeders();
  }

  /** Makes room for the newest run, which alone may be larger than the bound. Answers stay. */
  #dropOldest(): void {
    this.#seal();
    const newest = this.#buffers.length - 1;
    let dropped = 0;
    let kept = 0;
    let keptCompacted = 0;
    for (let index = 0; index <= newest; index++) {
      const bytes = this.#buffers[index]!;
      const count = this.#counts[index]!;
      const isTooMuch =
        this.#waitingMessages > this.#limits.channelSize || this.#waitingBytes > this.#limits.channelBytes;
      if (index < newest && count > 0 && isTooMuch) {
        dropped += count;
        this.#waitingMessages -= count;
        this.#waitingBytes -= bytes.length;
      } else {
        if (index < this.#compactedEntries) keptCompacted++;
        this.#buffers[kept] = bytes;
        this.#counts[kept] = count;
        kept++;
      }
    }
    this.#buffers.length = kept;
    this.#counts.length = kept;
    this.#compactedEntries = keptCompacted;
    if (dropped > 0) this.#drop(dropped);
  }

  #drop(count: number): void {
    this.dropped += count;
    this.#droppedInEpisode += count;
    this.#events.dropped(count);
  }

  #releaseFeeders(): void {
    const feeders = this.#feeders;
    if (feeders === undefined || feeders.size === 0) return;
    this.#feeders = undefined;
    for (const feeder of feeders) feeder.resume();
  }

  #releaseAskers(): void {
    const askers = this.#askers;
    if (askers === undefined) return;
    this.#askers = undefined;
    for (const asker of askers) asker.resume();
  }
}

/** Room for twice of what the last turn brought: enough for most turns, little for a quiet subscriber. */
function slabBytesFor(turnBytes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(2 * turnBytes + 1));
  return Math.min(Math.max(wanted, smallestSlabBytes), largestSlabBytes);
}
