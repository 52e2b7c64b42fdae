import { HeaderField } from '../header-field.ts';
import { connectionError } from '../http2-error.ts';
import { DynamicTable } from './dynamic-table.ts';
import { decodeHuffman } from './huffman.ts';
import { FIRST_DYNAMIC_INDEX, STATIC_TABLE } from './static-table.ts';

/** Who takes the fields of a header block. */
export interface FieldSink {
  add(field: HeaderField): void;
}

/*
 * The first byte of a representation (RFC 7541, section 6); the rest of it begins an index or a size:
 *
 *     1xxxxxxx   an indexed field
 *     01xxxxxx   a literal, which is added to the dynamic table
 *     001xxxxx   a new size of the dynamic table
 *     0001xxxx   a literal that must never be indexed, by anybody on the way
 *     0000xxxx   a literal
 */
const INDEXED = 0x80;
const LITERAL_TO_ADD = 0x40;
const TABLE_SIZE = 0x20;
const HUFFMAN = 0x80;
/** Larger numbers mean nothing in a header block; more bytes than this are not looked at. */
const MAX_INTEGER_BYTES = 4;

/** Decodes the header blocks of a connection, all of them and in their order (RFC 7541). */
export class HpackDecoder {
  readonly #table: DynamicTable;
  /** What the peer may make the table, as our settings say. */
  readonly #maxTableBytes: number;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;

  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /**
   * Decodes a whole header block. Fields beyond `maxListBytes` are not handed on, but the table knows them all.
   *
   * @returns how large the header list is (RFC 9113, section 6.5.2).
   * @throws Http2Error COMPRESSION_ERROR, after which nothing of the connection can be decoded.
   */
  decode(bytes: Uint8Array, start: number, end: number, maxListBytes: number, sink: FieldSink): number {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    let listBytes = 0;
    while (this.#at < end) {
      const first = bytes[this.#at];
      if (first < INDEXED && first >= TABLE_SIZE && first < LITERAL_TO_ADD) {
        if (listBytes > 0) throw badBlock('RFC 7541 4.2', 'a table size behind a field');
        this.#resize();
        continue;
      }
      const field = first >= INDEXED ? this.#indexed(this.#integer(7)) : this.#literal(first);
      listBytes += field.sizeBytes;
      if (listBytes <= maxListBytes) sink.add(field);
    }
    this.#bytes = NOTHING;
    return listBytes;
  }

  #resize(): void {
    const size = this.#integer(5);
    // RFC 7541, section 6.3.
    if (size > this.#maxTableBytes) throw badBlock('RFC 7541 6.3', `a dynamic table of ${size} bytes`);
    this.#table.resize(size);
  }

  #indexed(index: number): HeaderField {
    const field =
      index < FIRST_DYNAMIC_INDEX ? STATIC_TABLE[index - 1] : this.#table.get(index - FIRST_DYNAMIC_INDEX);
    if (field === undefined) throw badBlock('RFC 7541 2.3.3', `the index ${index}`);
    return field;
  }

  #literal(first: number): HeaderField {
    const isToAdd = first >= LITERAL_TO_ADD;
    const nameIndex = this.#integer(isToAdd ? 6 : 4);
    const name = nameIndex === 0 ? this.#string() : this.#indexed(nameIndex).name;
    const field = new HeaderField(name, this.#string());
    if (isToAdd) this.#table.add(field);
    return field;
  }

  /** An integer whose first bits are the lowest of the byte in hand (RFC 7541, section 5.1). */
  #integer(prefixBits: number): number {
    const bytes = this.#bytes;
    const mask = 2 ** prefixBits - 1;
    let value = this.#nextByte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 7 * MAX_INTEGER_BYTES; shift += 7) {
      const byte = this.#nextByte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw badBlock('RFC 7541 5.1', `an integer of more than ${MAX_INTEGER_BYTES} bytes in ${bytes.length}`);
  }

  #string(): string {
    if (this.#at >= this.#end) throw cutBlock();
    const isHuffman = (this.#bytes[this.#at] & HUFFMAN) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw cutBlock();
    this.#at = end;
    if (!isHuffman) return latin1Of(this.#bytes, start, end);
    const room = scratchFor(length);
    return room.toString('latin1', 0, decodeHuffman(this.#bytes, start, end, room));
  }

  #nextByte(): number {
    if (this.#at >= this.#end) throw cutBlock();
    return this.#bytes[this.#at++];
  }
}

const NOTHING = new Uint8Array(0);
/** Half a byte may end a symbol, so nothing becomes longer than twice itself. */
const LONGEST_EXPANSION = 2;
let scratch = Buffer.allocUnsafe(4_096);

function scratchFor(length: number): Buffer {
  if (scratch.length < length * LONGEST_EXPANSION) scratch = Buffer.allocUnsafe(length * LONGEST_EXPANSION);
  return scratch;
}

function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

function badBlock(rule: string, message: string): Error {
  return connectionError('COMPRESSION_ERROR', rule, message);
}

function cutBlock(): Error {
  return badBlock('RFC 7541 3.1', 'a header block that is cut off');
}
