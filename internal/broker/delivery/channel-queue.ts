import { copiedSliceBytes, largestSlabBytes, smallestSlabBytes } from '../../limits/broker.ts';

/** Up to this many answers per turn are queued as they lie. */
const FEW_ANSWERS = 4;
/** Below this a loop over the bytes is faster than the runtime's own copy. */
const SHORT_COPY_BYTES = 96;

/** The content of an entry that must not be dropped: an answer, or a message that is kept. */
export const ANSWER = 0;
export const KEPT = -1;
export type Undroppable = typeof ANSWER | typeof KEPT;

const NO_ROOM = new Uint8Array(0);

/** What was dropped at once: whole messages, one behind the other in each entry. */
export interface Dropped {
  readonly messages: number;
  readonly bytes: number;
  readonly entries: readonly Uint8Array[];
}

/**
 * The queue of one subscriber, in order: messages that may be dropped, messages that may not, and answers.
 *
 * Short runs are copied one behind the other into a slab, so that they cost one write together, and no memory beside
 * their bytes while they wait; long ones are queued as they lie. A buffer that was queued is never written again: the slab
 * only grows behind it.
 */
export class ChannelQueue {
  /** Messages that may be dropped, and their bytes. */
  messages = 0;
  messageBytes = 0;
  keptBytes = 0;
  answerBytes = 0;
  /** Bytes that were taken or dropped so far. */
  goneBytes = 0;
  /** Where {@link makeRoom} made room. */
  room: Uint8Array = NO_ROOM;

  /** While they wait, about as many messages become one entry, so that few are dropped at once. */
  readonly #entryMessages: number;
  #isWaiting = false;
  #buffers: Uint8Array[] = [];
  /** At the same index, how many messages that may be dropped each buffer holds, or {@link ANSWER}, {@link KEPT}. */
  #counts: number[] = [];

  // The end of the queue may be a growing part of a slab that is not an entry yet.
  #slab: Uint8Array | undefined;
  #slabStart = 0;
  #slabEnd = 0;
  #slabCount: number = ANSWER;
  #nextSlabBytes = smallestSlabBytes;
  /** Bytes copied since the last hand-over, which tell how large the next slab should be. */
  #copiedBytes = 0;

  constructor(entryMessages: number) {
    this.#entryMessages = entryMessages;
  }

  /** All that waits. */
  get bytes(): number {
    return this.messageBytes + this.keptBytes + this.answerBytes;
  }

  get isEmpty(): boolean {
    return this.#buffers.length === 0 && this.#slabStart === this.#slabEnd;
  }

  /** Queues messages that may be dropped, up to {@link copiedSliceBytes} of them. */
  copy(bytes: Uint8Array, start: number, end: number, count: number): void {
    if (this.#slabCount <= 0) {
      this.#seal();
      this.#slabCount = 0;
    }
    this.#copyIntoSlab(bytes, start, end);
    this.#slabCount += count;
    this.messages += count;
    this.messageBytes += end - start;
    if (this.#isWaiting && this.#slabCount >= this.#entryMessages) this.#seal();
  }

  /** Queues messages that may be dropped as they lie. */
  push(bytes: Uint8Array, count: number): void {
    this.#pushEntry(bytes, count);
    this.messages += count;
    this.messageBytes += bytes.length;
  }

  /** Queues bytes that are never dropped; short ones without a buffer of their own. */
  append(bytes: Uint8Array, kind: Undroppable): void {
    if (kind === ANSWER) this.answerBytes += bytes.length;
    else this.keptBytes += bytes.length;
    if (bytes.length > copiedSliceBytes || this.#isTooLittleForSlab) {
      this.#pushEntry(bytes, kind);
      return;
    }
    if (this.#slabCount !== kind) this.#seal();
    this.#copyIntoSlab(bytes, 0, bytes.length);
    this.#slabCount = kind;
  }

  /**
   * Makes room behind all that waits for bytes that are never dropped, and that the caller writes at once into {@link room}.
   * Returns where they begin there.
   */
  makeRoom(length: number, kind: Undroppable): number {
    if (kind === ANSWER) this.answerBytes += length;
    else this.keptBytes += length;
    if (length > copiedSliceBytes || this.#isTooLittleForSlab) {
      this.room = new Uint8Array(length);
      this.#pushEntry(this.room, kind);
      return 0;
    }
    if (this.#slabCount !== kind) this.#seal();
    this.room = this.#slabFor(length);
    this.#slabCount = kind;
    const start = this.#slabEnd;
    this.#slabEnd += length;
    this.#copiedBytes += length;
    return start;
  }

  /** Whether a client is told so little that it is not worth a slab, which it would keep. */
  get #isTooLittleForSlab(): boolean {
    return (
      this.#slab === undefined &&
      this.#buffers.length < FEW_ANSWERS &&
      this.#nextSlabBytes === smallestSlabBytes
    );
  }

  /**
   * Takes off the front what a socket gets at once: all, or about `mostBytes` where that is less.
   *
   * @param isWhole whether a large entry is not cut.
   */
  take(mostBytes: number, isWhole = false): Uint8Array[] {
    this.#seal();
    this.#nextSlabBytes = slabBytesFor(this.#copiedBytes);
    this.#copiedBytes = 0;
    this.room = NO_ROOM;
    const { bytes } = this;
    if (bytes > mostBytes) return this.#takePortion(mostBytes, isWhole);
    const buffers = this.#buffers;
    this.goneBytes += bytes;
    this.#forget();
    return buffers;
  }

  /** Takes out all answers, from between the messages too. */
  takeAnswers(): Uint8Array[] {
    if (this.answerBytes === 0) return [];
    this.#seal();
    const taken: Uint8Array[] = [];
    let kept = 0;
    for (const [index, bytes] of this.#buffers.entries()) {
      const count = this.#counts[index];
      if (count === ANSWER) {
        taken.push(bytes);
        continue;
      }
      this.#buffers[kept] = bytes;
      this.#counts[kept] = count;
      kept++;
    }
    this.#buffers.length = kept;
    this.#counts.length = kept;
    this.goneBytes += this.answerBytes;
    this.answerBytes = 0;
    return taken;
  }

  /** The rest of the queue and later entries wait: a small part of a larger buffer is copied, to let the buffer go. */
  wait(): void {
    this.#isWaiting = true;
    for (let index = 0; index < this.#buffers.length; index++) {
      const bytes = this.#buffers[index];
      if (this.#counts[index] > 0 && bytes.length < bytes.buffer.byteLength / 2) {
        this.#buffers[index] = new Uint8Array(bytes);
      }
    }
  }

  /** The next entries are taken soon. */
  flow(): void {
    this.#isWaiting = false;
  }

  /**
   * Drops the oldest messages that may be dropped until no more is left than this; the newest run stays, which alone may be
   * larger.
   */
  drop(mostMessages: number, mostBytes: number): Dropped {
    this.#seal();
    const { messages, bytes: bytesBefore } = this;
    const entries: Uint8Array[] = [];
    const newest = this.#buffers.length - 1;
    let kept = 0;
    for (let index = 0; index <= newest; index++) {
      const bytes = this.#buffers[index];
      const count = this.#counts[index];
      const isTooMuch = this.messages > mostMessages || this.messageBytes > mostBytes;
      if (index < newest && count > 0 && isTooMuch) {
        this.#count(count, -bytes.length);
        entries.push(bytes);
      } else {
        this.#buffers[kept] = bytes;
        this.#counts[kept] = count;
        kept++;
      }
    }
    this.#buffers.length = kept;
    this.#counts.length = kept;
    const bytes = bytesBefore - this.bytes;
    this.goneBytes += bytes;
    return { messages: messages - this.messages, bytes, entries };
  }

  /** Forgets everything. */
  clear(): void {
    this.#forget();
    this.#slab = undefined;
    this.#slabStart = this.#slabEnd;
    this.#slabCount = ANSWER;
  }

  #takePortion(mostBytes: number, isWhole: boolean): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let takenBytes = 0;
    let index = 0;
    while (takenBytes < mostBytes) {
      const bytes = this.#buffers[index];
      const count = this.#counts[index];
      this.#count(count, -bytes.length);
      if (bytes.length > 2 * mostBytes && !isWhole) {
        taken.push(bytes.subarray(0, mostBytes));
        takenBytes += mostBytes;
        this.#cut(index, bytes.subarray(mostBytes), count);
        break;
      }
      taken.push(bytes);
      takenBytes += bytes.length;
      index++;
    }
    this.#buffers.splice(0, index);
    this.#counts.splice(0, index);
    this.goneBytes += takenBytes;
    return taken;
  }

  /** Leaves the rest of a large entry, which is not dropped: its beginning is on its way. */
  #cut(index: number, rest: Uint8Array, count: number): void {
    const kind = count > 0 ? KEPT : count;
    this.#buffers[index] = rest;
    this.#counts[index] = kind;
    this.#count(kind, rest.length);
  }

  /** Counts the bytes of an entry that comes or goes; what goes takes its messages along. */
  #count(count: number, bytes: number): void {
    if (count === ANSWER) {
      this.answerBytes += bytes;
    } else if (count === KEPT) {
      this.keptBytes += bytes;
    } else {
      this.messageBytes += bytes;
      this.messages -= count;
    }
  }

  #forget(): void {
    this.#buffers = [];
    this.#counts.length = 0;
    this.messages = 0;
    this.messageBytes = 0;
    this.keptBytes = 0;
    this.answerBytes = 0;
  }

  #copyIntoSlab(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const slab = this.#slabFor(length);
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

  /** The slab, with so much room at its end. */
  #slabFor(length: number): Uint8Array {
    const slab = this.#slab;
    return slab !== undefined && slab.length - this.#slabEnd >= length ? slab : this.#newSlab(length);
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
    this.#counts.push(this.#slabCount);
    this.#slabStart = this.#slabEnd;
    this.#slabCount = ANSWER;
    // The rest of the slab would hold no more than a message or two; a quiet subscriber then keeps no slab at all.
    if (slab.length - this.#slabEnd < slab.length >>> 2) this.#slab = undefined;
  }

  #pushEntry(bytes: Uint8Array, count: number): void {
    this.#seal();
    this.#buffers.push(bytes);
    this.#counts.push(count);
  }
}

/** Room for twice of what the last turn brought: enough for most turns, little for a quiet subscriber. */
function slabBytesFor(turnBytes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(2 * turnBytes + 1));
  return Math.min(Math.max(wanted, smallestSlabBytes), largestSlabBytes);
}
