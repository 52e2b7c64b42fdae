import {
  type Field,
  type FieldType,
  type MessageOf,
  type MessageType,
  WireType,
  wireTypeOf,
} from './schema.ts';

/** Bytes that are no message of the type they should be. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/**
 * Reads a message. Fields that are not known are passed over; the last of a field that comes several times counts.
 * Bytes are views.
 *
 * @throws ProtobufError.
 */
export function readMessage<T extends MessageType>(
  type: T,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): MessageOf<T> {
  return new Reader(bytes, start, end).message(type, 0) as MessageOf<T>;
}

type Value = unknown;

/** Deeper nesting than any of our messages has; it bounds what a hostile one can make of the stack. */
const MAX_DEPTH = 64;

/**
 * Passes over the value of a field that is not known, which begins at `at`. Returns where it ends.
 *
 * @throws ProtobufError.
 */
export function skipField(bytes: Uint8Array, at: number, end: number, wireType: number): number {
  const reader = new Reader(bytes, at, end);
  reader.skip(wireType, 0);
  return reader.at;
}

/** Reads the parts of a message one behind the other. */
class Reader {
  readonly #bytes: Uint8Array;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Where the next part begins. */
  get at(): number {
    return this.#at;
  }

  message(
    type: MessageType,
    depth: number,
    into: Record<string, Value> = emptyOf(type),
  ): Record<string, Value> {
    if (depth > MAX_DEPTH) throw new ProtobufError('messages lie too deep in one another');
    while (this.#at < this.#end) {
      const { number, wireType } = this.#tag();
      const entry = type.byNumber.get(number);
      if (entry === undefined) this.skip(wireType, depth);
      else this.#field(entry[0], entry[1], wireType, into, type, depth);
    }
    return into;
  }

  /** Passes over the value of a field that is not known. */
  skip(wireType: number, depth: number): void {
    switch (wireType) {
      case WireType.varint:
        this.#varint64();
        return;
      case WireType.fixed64:
        this.#pass(8);
        return;
      case WireType.delimited:
        this.#at = this.#delimited();
        return;
      case WireType.groupStart:
        this.#skipGroup(depth + 1);
        return;
      case WireType.fixed32:
        this.#pass(4);
        return;
      default:
        throw new ProtobufError(`a field has the wire type ${wireType}`);
    }
  }

  #field(
    name: string,
    field: Field,
    wireType: number,
    into: Record<string, Value>,
    type: MessageType,
    depth: number,
  ): void {
    const expected = wireTypeOf(field.type);
    if (field.isRepeated) {
      const list = into[name] as Value[];
      if (wireType === expected) list.push(this.#value(field.type, depth));
      else if (wireType === WireType.delimited) this.#packed(field.type, list, depth);
      else this.skip(wireType, depth);
      return;
    }
    if (wireType !== expected) {
      this.skip(wireType, depth);
      return;
    }
    const before = into[name];
    if (field.oneof !== undefined) clearOneof(type, field.oneof, into);
    into[name] = this.#value(field.type, depth, before as Record<string, Value> | undefined);
  }

  #value(type: FieldType, depth: number, before?: Record<string, Value>): Value {
    if (typeof type === 'object') {
      if (type.kind === 'enum') return Number(BigInt.asIntN(32, this.#varint64()));
      const outerEnd = this.#end;
      const end = this.#delimited();
      this.#end = end;
      // The parts of a message that comes several times are put together.
      const value = this.message(type, depth + 1, before);
      this.#end = outerEnd;
      return value;
    }
    switch (type) {
      case 'int32':
        return Number(BigInt.asIntN(32, this.#varint64()));
      case 'int64':
        return this.#varint64();
      case 'bool':
        return this.#varint64() !== 0n;
      case 'double':
        return this.#fixed(8).getFloat64(0, true);
      case 'fixed64':
        return this.#fixed(8).getBigUint64(0, true);
      case 'fixed32':
        return this.#fixed(4).getUint32(0, true);
      case 'bytes':
      case 'string': {
        const end = this.#delimited();
        const start = this.#at;
        this.#at = end;
        return type === 'bytes' ? this.#bytes.subarray(start, end) : textOf(this.#bytes, start, end);
      }
    }
  }

  #packed(type: FieldType, list: Value[], depth: number): void {
    const end = this.#delimited();
    if (wireTypeOf(type) === WireType.delimited) throw new ProtobufError('a field has the wrong wire type');
    const outerEnd = this.#end;
    this.#end = end;
    while (this.#at < end) list.push(this.#value(type, depth));
    this.#end = outerEnd;
  }

  #skipGroup(depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtobufError('groups lie too deep in one another');
    for (;;) {
      const { wireType } = this.#tag();
      if (wireType === WireType.groupEnd) return;
      this.skip(wireType, depth);
    }
  }

  /** The number and the wire type of the field that follows. */
  #tag(): { number: number; wireType: number } {
    const tag = this.#varint32();
    const number = tag >>> 3;
    if (number === 0) throw new ProtobufError('a field has the number 0');
    return { number, wireType: tag & 7 };
  }

  /** Reads a length. Returns where the bytes end that follow it. */
  #delimited(): number {
    const length = this.#varint32();
    if (length > this.#end - this.#at) throw new ProtobufError('a field is cut off');
    return this.#at + length;
  }

  #pass(count: number): void {
    if (count > this.#end - this.#at) throw new ProtobufError('a field is cut off');
    this.#at += count;
  }

  #fixed(length: number): DataView {
    const start = this.#at;
    this.#pass(length);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  #varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw new ProtobufError('a number is cut off');
      const byte = this.#bytes[this.#at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new ProtobufError('a number has more than ten bytes');
  }

  #varint32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= this.#end) throw new ProtobufError('a number is cut off');
      const byte = this.#bytes[this.#at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        return value >>> 0;
      }
    }
    throw new ProtobufError('a tag or a length is beyond 32 bits');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws ProtobufError where it is not UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw new ProtobufError('string field contains invalid UTF-8');
  }
}

function emptyOf(type: MessageType): Record<string, Value> {
  const value: Record<string, Value> = {};
  for (const [name, field] of Object.entries(type.fields)) value[name] = defaultOf(field);
  return value;
}

function defaultOf(field: Field): Value {
  if (field.isRepeated) return [];
  if (field.oneof !== undefined) return undefined;
  const { type } = field;
  if (typeof type === 'object') return type.kind === 'enum' ? 0 : undefined;
  return {
    ...{ string: '', bytes: NOTHING, int32: 0, int64: 0n, bool: false },
    ...{ double: 0, fixed64: 0n, fixed32: 0 },
  }[type];
}

const NOTHING = new Uint8Array(0);

function clearOneof(type: MessageType, oneof: string, into: Record<string, Value>): void {
  for (const [name, field] of Object.entries(type.fields)) if (field.oneof === oneof) into[name] = undefined;
}
