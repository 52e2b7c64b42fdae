import { topicTableBytes, topicTableEntries } from '../limits.ts';
import { NO_TARGETS, type TargetSet } from './targets.ts';

/** What is known of a topic that somebody published to. */
export interface TopicEntry {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly hash: number;
  /** The subscriptions' epoch for which `targets` is right. */
  epoch: number;
  targets: TargetSet;
}

/** Slots that a topic may be found in, from the one that its hash names on. */
const PROBES = 16;
const FIRST_SLOTS = 1024;

/**
 * Finds the entry of a topic by the topic's bytes, without making a string. A cache: it is bounded, it may forget
 * any topic, and topics that collide push one another out, so no choice of topics makes it slow.
 */
export class TopicTable {
  #slots: (TopicEntry | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #mask = FIRST_SLOTS - 1;
  #size = 0;
  #nameBytes = 0;
  readonly #seed = Math.trunc(Math.random() * 0xffff_ffff);
  readonly #nameOf: (bytes: Uint8Array, start: number, end: number) => string;

  /**
   * @param nameOf makes the name of a topic that is seen for the first time, and throws where it is not a topic
   *   that may be published to.
   */
  constructor(nameOf: (bytes: Uint8Array, start: number, end: number) => string) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * The entry of the topic that lies between `start` and `end`.
   *
   * @throws what `nameOf` throws.
   */
  find(bytes: Uint8Array, start: number, end: number): TopicEntry {
    const hash = this.#hash(bytes, start, end);
    for (let probe = 0; probe < PROBES; probe++) {
      const entry = this.#slots[(hash + probe) & this.#mask];
      if (entry === undefined) break;
      if (entry.hash === hash && isAt(entry.bytes, bytes, start, end)) return entry;
    }
    return this.#add(bytes, start, end, hash);
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number): TopicEntry {
    const topic = this.#nameOf(bytes, start, end);
    const entry: TopicEntry = {
      topic,
      bytes: new Uint8Array(bytes.subarray(start, end)),
      hash,
      epoch: -1,
      targets: NO_TARGETS,
    };
    if (this.#size >= topicTableEntries || this.#nameBytes >= topicTableBytes) this.#clear();
    else if (this.#size * 2 >= this.#slots.length) this.#grow();
    this.#place(entry);
    return entry;
  }

  #place(entry: TopicEntry): void {
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (entry.hash + probe) & this.#mask;
      if (this.#slots[slot] === undefined) {
        this.#slots[slot] = entry;
        this.#size++;
        this.#nameBytes += entry.bytes.length;
        return;
      }
    }
    const home = entry.hash & this.#mask;
    this.#nameBytes += entry.bytes.length - this.#slots[home]!.bytes.length;
    this.#slots[home] = entry;
  }

  #grow(): void {
    const entries = this.#slots;
    this.#slots = new Array(entries.length * 2).fill(undefined);
    this.#mask = this.#slots.length - 1;
    this.#size = 0;
    this.#nameBytes = 0;
    for (const entry of entries) if (entry !== undefined) this.#place(entry);
  }

  #clear(): void {
    this.#slots.fill(undefined);
    this.#size = 0;
    this.#nameBytes = 0;
  }

  /** FNV-1a, begun with a number that nobody outside knows. */
  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed | 0;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
    hash ^= hash >>> 15;
    return hash >>> 1;
  }
}

/** Whether the bytes between `start` and `end` are these. */
export function isAt(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (wanted[index] !== bytes[start + index]) return false;
  }
  return true;
}
