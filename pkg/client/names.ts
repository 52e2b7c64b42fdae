import { isAt } from '../../internal/protocol/frame/cursor.ts';

/** Names longer than this are not remembered, so that a table's memory stays small whatever the names are. */
const MAX_REMEMBERED_BYTES = 256;
const FIRST_SLOTS = 64;
const MAX_SLOTS = 16_384;
/** A name lies in one of so many neighbouring slots. */
const PROBES = 4;

interface Known<T> {
  bytes: Uint8Array;
  hash: number;
  value: T;
}

/**
 * Remembers what a name stands for by the name's bytes, so that a name that comes again is not decoded again. It
 * grows with the names that are seen, up to a bound; beyond that names push each other out.
 */
export class NameTable<T> {
  readonly #meaningOf: (bytes: Uint8Array, start: number, end: number) => T;
  #slots: (Known<T> | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #count = 0;
  #last: Known<T> | undefined;

  /** @param meaningOf what an unknown name stands for; what it throws goes to the caller of {@link find}. */
  constructor(meaningOf: (bytes: Uint8Array, start: number, end: number) => T) {
    this.#meaningOf = meaningOf;
  }

  /** What the name in these bytes stands for. */
  find(bytes: Uint8Array, start: number, end: number): T {
    // Most often it is the same as in the message before.
    const last = this.#last;
    if (last !== undefined && isAt(last.bytes, bytes, start, end)) return last.value;
    const hash = hashOf(bytes, start, end);
    for (let probe = 0; probe < PROBES; probe++) {
      const known = this.#slots[(hash + probe) & (this.#slots.length - 1)];
      if (known === undefined) break;
      if (known.hash === hash && isAt(known.bytes, bytes, start, end)) {
        this.#last = known;
        return known.value;
      }
    }
    return this.#learn(bytes, start, end, hash);
  }

  #learn(bytes: Uint8Array, start: number, end: number, hash: number): T {
    const value = this.#meaningOf(bytes, start, end);
    if (end - start > MAX_REMEMBERED_BYTES) return value;
    const known = { bytes: bytes.slice(start, end), hash, value };
    if (this.#count * 2 >= this.#slots.length && this.#slots.length < MAX_SLOTS) this.#grow();
    this.#put(known);
    this.#last = known;
    return value;
  }

  #put(known: Known<T>): void {
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (known.hash + probe) & mask;
      if (this.#slots[slot] !== undefined) continue;
      this.#slots[slot] = known;
      this.#count++;
      return;
    }
    this.#slots[known.hash & mask] = known;
  }

  #grow(): void {
    const known = this.#slots;
    this.#slots = new Array(known.length * 2).fill(undefined);
    this.#count = 0;
    for (const entry of known) if (entry !== undefined) this.#put(entry);
  }
}

/** All bytes of a name of ordinary length count: names of devices often differ only in the middle. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = Math.max(start, end - MAX_REMEMBERED_BYTES); at < end; at++) {
    hash = Math.imul(hash ^ bytes[at], 0x0100_0193);
  }
  // The low bits choose the slot; the multiplication mixes upwards only.
  return hash ^ (hash >>> 15);
}
