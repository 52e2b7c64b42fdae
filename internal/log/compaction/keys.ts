import { hash, randomInt } from 'node:crypto';

/** Four words of key and an offset. */
export const KEY_SLOT_BYTES = 24;
const FIRST_SLOTS = 1024;
/** Beyond this share of used slots looking for a key takes many steps. */
const MOST_USED = 0.8;

/**
 * The last offset of each key, in a bounded table. Keys are kept as 16 bytes: short ones themselves, longer ones as a
 * part of their SHA-256, so that nobody can make two keys of one another's records.
 */
export class KeyOffsets {
  readonly #mostSlots: number;
  /** So that nobody can choose keys which all begin at the same slot. */
  readonly #seed = randomInt(2 ** 31);
  #words: Int32Array;
  #offsets: Float64Array;
  #count = 0;
  /** The key that was asked for last. */
  readonly #key = new Int32Array(4);

  /** @param maxBytes the most memory that the table may take; it has room for one key at least. */
  constructor(maxBytes: number) {
    this.#mostSlots = 2 ** Math.max(1, Math.floor(Math.log2(maxBytes / KEY_SLOT_BYTES)));
    const slots = Math.min(FIRST_SLOTS, this.#mostSlots);
    this.#words = new Int32Array(slots * 4);
    this.#offsets = new Float64Array(slots).fill(FREE);
  }

  /** The number of known keys. */
  get size(): number {
    return this.#count;
  }

  /** Remembers an offset for a key. False where there is no room for another key. */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    this.#take(bytes, start, end);
    let slot = this.#find();
    if (this.#offsets[slot] === FREE) {
      if (this.#count + 1 > this.#offsets.length * MOST_USED) {
        if (this.#offsets.length === this.#mostSlots) return false;
        this.#grow();
        slot = this.#find();
      }
      this.#words.set(this.#key, slot * 4);
      this.#count++;
    }
    this.#offsets[slot] = offset;
    return true;
  }

  /** The offset of a key; -1 where it is not known. */
  get(bytes: Uint8Array, start: number, end: number): number {
    this.#take(bytes, start, end);
    return this.#offsets[this.#find()]!;
  }

  /** Forgets all keys. The room stays. */
  clear(): void {
    this.#offsets.fill(FREE);
    this.#count = 0;
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const key = this.#key;
    if (length > LONGEST_ITSELF_BYTES) {
      const digest = hash('sha256', bytes.subarray(start, end), 'buffer');
      for (let word = 0; word < 4; word++) key[word] = digest.readInt32LE(word * 4);
      key[3] = (key[3]! & 0x00ff_ffff) | (HASHED << 24);
      return;
    }
    key.fill(0);
    for (let at = 0; at < length; at++) key[at >> 2]! |= bytes[start + at]! << ((at & 3) * 8);
    // The length in the last byte tells a short key from one with zeros behind it, and from a hash.
    key[3]! |= length << 24;
  }

  /** The slot of the key, or the free one where it would be. */
  #find(): number {
    const [a, b, c, d] = this.#key as unknown as [number, number, number, number];
    const words = this.#words;
    const offsets = this.#offsets;
    const mask = offsets.length - 1;
    let slot = this.#slotOf(a, b, c, d) & mask;
    for (;;) {
      if (offsets[slot] === FREE) return slot;
      const at = slot * 4;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #slotOf(a: number, b: number, c: number, d: number): number {
    let mixed = this.#seed;
    mixed = Math.imul(mixed ^ a, 0x85eb_ca6b);
    mixed = Math.imul((mixed ^ (mixed >>> 15)) + b, 0xc2b2_ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ c, 0x27d4_eb2f);
    mixed = Math.imul((mixed ^ (mixed >>> 16)) + d, 0x1656_67b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  }

  #grow(): void {
    const words = this.#words;
    const offsets = this.#offsets;
    const wanted = this.#key.slice();
    this.#words = new Int32Array(words.length * 2);
    this.#offsets = new Float64Array(offsets.length * 2).fill(FREE);
    for (let slot = 0; slot < offsets.length; slot++) {
      if (offsets[slot] === FREE) continue;
      this.#key.set(words.subarray(slot * 4, slot * 4 + 4));
      const into = this.#find();
      this.#words.set(this.#key, into * 4);
      this.#offsets[into] = offsets[slot]!;
    }
    this.#key.set(wanted);
  }
}

const FREE = -1;
const LONGEST_ITSELF_BYTES = 15;
/** In the place of the length of a short key. */
const HASHED = 0xff;
