import type { HeaderField } from '../header-field.ts';
import { DynamicTable } from './dynamic-table.ts';
import { encodeHuffman, huffmanLength } from './huffman.ts';
import { FIRST_DYNAMIC_INDEX, staticIndexOf, staticIndexOfName } from './static-table.ts';

const INDEXED = 0x80;
const LITERAL_TO_ADD = 0x40;
const TABLE_SIZE = 0x20;
const LITERAL = 0x00;
const HUFFMAN = 0x80;
/** No representation takes more than this beside its strings: three integers. */
const REPRESENTATION_BYTES = 18;

/** A field of responses, and whether others will carry the very same one. */
export interface EncodedField {
  readonly field: HeaderField;
  readonly isRepeated: boolean;
}

/** Encodes the header blocks of a connection, all of them and in their order (RFC 7541). */
export class HpackEncoder {
  readonly #table: DynamicTable;
  readonly #maxTableBytes: number;
  /** The sizes that the peer has to be told at the beginning of the next block: the smallest, and the last. */
  #smallestSize: number | undefined;
  #nextSize: number | undefined;

  /** @param maxTableBytes what the table takes at most, whatever the peer allows. */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /** The peer allows a table of this size (RFC 7541, section 4.2). */
  limitTable(bytes: number): void {
    const size = Math.min(bytes, this.#maxTableBytes);
    if (this.#nextSize === undefined && size === this.#table.maxBytes) return;
    this.#smallestSize = Math.min(size, this.#smallestSize ?? size);
    this.#nextSize = size;
  }

  /** An upper bound of what {@link encode} writes. */
  sizeBound(fields: readonly EncodedField[]): number {
    let bound = REPRESENTATION_BYTES;
    for (const { field } of fields) bound += field.name.length + field.value.length + REPRESENTATION_BYTES;
    return bound;
  }

  /** Writes a header block at `at`. Returns where it ends. */
  encode(fields: readonly EncodedField[], into: Uint8Array, at: number): number {
    if (this.#nextSize !== undefined) at = this.#encodeSizes(into, at);
    for (const { field, isRepeated } of fields) at = this.#encodeField(field, isRepeated, into, at);
    return at;
  }

  #encodeSizes(into: Uint8Array, at: number): number {
    const smallest = this.#smallestSize!;
    const next = this.#nextSize!;
    this.#smallestSize = undefined;
    this.#nextSize = undefined;
    if (smallest < next) {
      this.#table.resize(smallest);
      at = encodeInteger(smallest, 5, TABLE_SIZE, into, at);
    }
    this.#table.resize(next);
    return encodeInteger(next, 5, TABLE_SIZE, into, at);
  }

  #encodeField(field: HeaderField, isRepeated: boolean, into: Uint8Array, at: number): number {
    if (isRepeated) {
      const age = this.#table.ageOf(field);
      if (age >= 0) return encodeInteger(FIRST_DYNAMIC_INDEX + age, 7, INDEXED, into, at);
      const index = staticIndexOf(field);
      if (index > 0) return encodeInteger(index, 7, INDEXED, into, at);
    }
    const nameIndex = staticIndexOfName(field.name);
    at = isRepeated
      ? encodeInteger(nameIndex, 6, LITERAL_TO_ADD, into, at)
      : encodeInteger(nameIndex, 4, LITERAL, into, at);
    if (nameIndex === 0) at = encodeString(field.name, into, at);
    if (isRepeated) this.#table.add(field);
    return encodeString(field.value, into, at);
  }
}

function encodeInteger(
  value: number,
  prefixBits: number,
  pattern: number,
  into: Uint8Array,
  at: number,
): number {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) {
    into[at] = pattern | value;
    return at + 1;
  }
  into[at++] = pattern | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) into[at++] = (rest & 0x7f) | 0x80;
  into[at] = rest;
  return at + 1;
}

function encodeString(text: string, into: Uint8Array, at: number): number {
  const coded = huffmanLength(text);
  if (coded < text.length) return encodeHuffman(text, into, encodeInteger(coded, 7, HUFFMAN, into, at));
  at = encodeInteger(text.length, 7, 0, into, at);
  for (let index = 0; index < text.length; index++) into[at++] = text.charCodeAt(index);
  return at;
}
