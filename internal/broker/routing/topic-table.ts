import type { Clock } from '../../lib/clock.ts';
import { topicRateWindowS, topicTableBytes, topicTableEntries } from '../../limits/broker.ts';
import { NO_TARGETS, type TargetSet } from './targets.ts';

/** The state of a topic that was published to. */
export class TopicEntry {
  // What each message touches comes first: another line of the cache costs more than the counting itself.
  /** The subscriptions' epoch for which `targets` is right. */
  epoch = -1;
  targets: TargetSet = NO_TARGETS;
  /** Messages since the table knows the topic. */
  published = 0;
  /** When the last of them came, in seconds that whoever counts goes by. */
  publishedAtS: number;
  /** What was last allowed to publish to it (`Access.checkPublish`). */
  permit: object | undefined = undefined;
  readonly topic: string;
  readonly bytes: Uint8Array;
  /** When the window in hand began, and how many messages there were before it. */
  #windowAtS: number;
  #beforeWindow = 0;
  /** What came in the window before, and how long that was. */
  #inLast = 0;
  #lastS = 0;

  constructor(topic: string, bytes: Uint8Array, nowS: number) {
    this.topic = topic;
    this.bytes = bytes;
    this.publishedAtS = nowS;
    this.#windowAtS = nowS;
  }

  /** Counts messages: a comparison and an addition, as every message may come by here. */
  count(messages: number, nowS: number): void {
    if (nowS !== this.publishedAtS) this.#beginSecond(nowS);
    this.published += messages;
  }

  /** Messages a second of late: of the last window and the present one. */
  perSecond(nowS: number): number {
    const inHandS = nowS - this.#windowAtS;
    if (inHandS >= 2 * topicRateWindowS) return 0;
    return (this.published - this.#beforeWindow + this.#inLast) / Math.max(1, inHandS + this.#lastS);
  }

  #beginSecond(nowS: number): void {
    this.publishedAtS = nowS;
    const elapsedS = nowS - this.#windowAtS;
    if (elapsedS < topicRateWindowS) return;
    const isLast = elapsedS < 2 * topicRateWindowS;
    this.#inLast = isLast ? this.published - this.#beforeWindow : 0;
    this.#lastS = isLast ? elapsedS : topicRateWindowS;
    this.#beforeWindow = this.published;
    this.#windowAtS = nowS;
  }
}

/** When the last message of a topic came, by the time of day, to a second. */
export function publishedAtMs({ publishedAtS }: TopicEntry, clock: Clock): number {
  return clock.now() - (clock.elapsedMs() - 1_000 * publishedAtS);
}

/** Slots that a topic may be found in, from the one that its hash names on. */
const PROBES = 16;
const FIRST_SLOTS = 1024;
const FIRST_NAME_BYTES = 16 * 1024;
const WORD_BYTES = 4;

/**
 * Finds the entry of a topic by the topic's bytes, without making a string. A cache: it is bounded, it may forget
 * any topic, and topics that collide push one another out, so no choice of topics makes it slow.
 *
 * What a lookup touches lies in flat arrays, and it reads words instead of bytes: for a thousand interleaved
 * topics that halved its time against entries that are compared one object after another.
 */
export class TopicTable {
  #slots = newSlots(FIRST_SLOTS);
  #names = new DataView(new ArrayBuffer(FIRST_NAME_BYTES));
  #namesEnd = 0;
  #size = 0;
  readonly #seed = Math.trunc(Math.random() * 0xffff_ffff);
  readonly #nameOf: (bytes: Uint8Array) => string;
  /** Time for what is counted, in seconds: nobody asks a clock for each message. */
  nowS = 0;

  /**
   * @param nameOf makes the name of a topic that is seen for the first time, and throws where it is not a topic
   *   that may be published to.
   */
  constructor(nameOf: (bytes: Uint8Array) => string) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#size;
  }

  /** All topics that it remembers. */
  *all(): Generator<TopicEntry> {
    for (const entry of this.#slots.entries) if (entry !== undefined) yield entry;
  }

  /**
   * The entry of the topic that lies between `start` and `end`.
   *
   * @throws what `nameOf` throws.
   */
  find(bytes: DataView, start: number, end: number): TopicEntry {
    const hash = this.#hash(bytes, start, end);
    const { hashes, nameStarts, nameLengths, entries, mask } = this.#slots;
    const length = end - start;
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (hash + probe) & mask;
      const found = hashes[slot];
      if (found === 0) break;
      if (
        found === hash &&
        nameLengths[slot] === length &&
        isSame(this.#names, nameStarts[slot]!, bytes, start, length)
      ) {
        return entries[slot]!;
      }
    }
    return this.#add(bytes, start, end, hash);
  }

  #add(bytes: DataView, start: number, end: number, hash: number): TopicEntry {
    const name = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    const entry = new TopicEntry(this.#nameOf(name), new Uint8Array(name), this.nowS);
    if (this.#size >= topicTableEntries || this.#namesEnd + name.length > topicTableBytes) this.#clear();
    else if (this.#size * 2 >= this.#slots.hashes.length) this.#growSlots();
    this.#place(hash, this.#keepName(name), name.length, entry);
    return entry;
  }

  /** Puts an entry into a free slot near its home, or in its home in the place of another. */
  #place(hash: number, nameStart: number, nameLength: number, entry: TopicEntry): void {
    const { hashes, nameStarts, nameLengths, entries, mask } = this.#slots;
    let slot = hash & mask;
    for (let probe = 0; probe < PROBES; probe++) {
      const free = (hash + probe) & mask;
      if (hashes[free] !== 0) continue;
      slot = free;
      break;
    }
    if (hashes[slot] === 0) this.#size++;
    hashes[slot] = hash;
    nameStarts[slot] = nameStart;
    nameLengths[slot] = nameLength;
    entries[slot] = entry;
  }

  #keepName(name: Uint8Array): number {
    const start = this.#namesEnd;
    this.#namesEnd += name.length;
    if (this.#namesEnd > this.#names.byteLength) {
      const grown = new Uint8Array(Math.max(2 * this.#names.byteLength, this.#namesEnd));
      grown.set(new Uint8Array(this.#names.buffer));
      this.#names = new DataView(grown.buffer);
    }
    new Uint8Array(this.#names.buffer).set(name, start);
    return start;
  }

  #growSlots(): void {
    const { hashes, nameStarts, nameLengths, entries } = this.#slots;
    this.#slots = newSlots(2 * hashes.length);
    this.#size = 0;
    for (const [slot, entry] of entries.entries()) {
      if (entry !== undefined) this.#place(hashes[slot]!, nameStarts[slot]!, nameLengths[slot]!, entry);
    }
  }

  #clear(): void {
    this.#slots = newSlots(this.#slots.hashes.length);
    this.#namesEnd = 0;
    this.#size = 0;
  }

  /** Mixes the words of a name, begun with a number that nobody outside knows. Never 0, which marks a free slot. */
  #hash(bytes: DataView, start: number, end: number): number {
    let hash = this.#seed ^ (end - start);
    let at = start;
    for (; at + WORD_BYTES <= end; at += WORD_BYTES) hash = mix(hash, bytes.getInt32(at, true));
    for (; at < end; at++) hash = mix(hash, bytes.getUint8(at));
    return hash === 0 ? 1 : hash;
  }
}

interface Slots {
  readonly mask: number;
  readonly hashes: Int32Array;
  readonly nameStarts: Int32Array;
  readonly nameLengths: Int32Array;
  readonly entries: (TopicEntry | undefined)[];
}

function newSlots(count: number): Slots {
  return {
    mask: count - 1,
    hashes: new Int32Array(count),
    nameStarts: new Int32Array(count),
    nameLengths: new Int32Array(count),
    entries: new Array(count).fill(undefined),
  };
}

/** Multiply and fold, so that the high bits of a word reach the low bits that choose a slot. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e37_79b1);
  return product ^ (product >>> 15);
}

/** Whether the `length` bytes at both places are the same. The last ones first: names share their beginning. */
function isSame(names: DataView, nameStart: number, bytes: DataView, start: number, length: number): boolean {
  if (length < WORD_BYTES) {
    for (let index = 0; index < length; index++) {
      if (names.getUint8(nameStart + index) !== bytes.getUint8(start + index)) return false;
    }
    return true;
  }
  for (let index = length - WORD_BYTES; index > 0; index -= WORD_BYTES) {
    if (names.getInt32(nameStart + index, true) !== bytes.getInt32(start + index, true)) return false;
  }
  return names.getInt32(nameStart, true) === bytes.getInt32(start, true);
}
