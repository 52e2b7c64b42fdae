import { ENVELOPE_BYTES, writeEnvelope } from './envelope.ts';
import {
  type Field,
  type FieldType,
  type MessageType,
  type NewMessageOf,
  WireType,
  wireTypeOf,
} from './schema.ts';

/** A message as bytes. Fields that have their default are left out, unless they belong to a oneof. */
export function encodeMessage<T extends MessageType>(type: T, value: NewMessageOf<T>): Uint8Array {
  const into = new Uint8Array(sizeOf(type, value as Values));
  write(type, value as Values, into, 0);
  return into;
}

/** A message with its envelope, as it goes into the stream of a call. */
export function encodeEnveloped<T extends MessageType>(type: T, value: NewMessageOf<T>): Uint8Array {
  const size = sizeOf(type, value as Values);
  const into = new Uint8Array(ENVELOPE_BYTES + size);
  write(type, value as Values, into, writeEnvelope(into, 0, size));
  return into;
}

type Values = Readonly<Record<string, unknown>>;

function sizeOf(type: MessageType, value: Values): number {
  let size = 0;
  for (const [name, field] of Object.entries(type.fields)) {
    if (field.isPacked) {
      const bytes = packedSize(field, value[name]);
      if (bytes > 0) size += varintSize(tagOf(field)) + varintSize(bytes) + bytes;
      continue;
    }
    for (const element of elementsOf(field, value[name])) {
      size += varintSize(tagOf(field)) + valueSize(field.type, element);
    }
  }
  return size;
}

function write(type: MessageType, value: Values, into: Uint8Array, at: number): number {
  for (const [name, field] of Object.entries(type.fields)) {
    const isPacked = field.isPacked && packedSize(field, value[name]) > 0;
    if (isPacked) {
      at = writeVarint(into, at, tagOf(field));
      at = writeVarint(into, at, packedSize(field, value[name]));
    }
    for (const element of elementsOf(field, value[name])) {
      if (!isPacked) at = writeVarint(into, at, tagOf(field));
      at = writeValue(field.type, element, into, at);
    }
  }
  return at;
}

/** What the elements of a packed field take. */
function packedSize(field: Field, value: unknown): number {
  let size = 0;
  for (const element of elementsOf(field, value)) size += valueSize(field.type, element);
  return size;
}

/** What of a field is written, each with its tag: none where it has its default. */
function elementsOf(field: Field, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (field.isRepeated) return value as unknown[];
  return field.oneof === undefined && isDefault(value) ? [] : [value];
}

function isDefault(value: unknown): boolean {
  return (
    value === 0 ||
    value === 0n ||
    value === '' ||
    value === false ||
    (value instanceof Uint8Array && value.length === 0)
  );
}

function tagOf(field: Field): number {
  return (field.number << 3) | (field.isPacked ? WireType.delimited : wireTypeOf(field.type));
}

function valueSize(type: FieldType, value: unknown): number {
  if (typeof type === 'object' && type.kind === 'message') {
    const size = sizeOf(type, value as Values);
    return varintSize(size) + size;
  }
  if (type === 'string') {
    const size = Buffer.byteLength(value as string);
    return varintSize(size) + size;
  }
  if (type === 'bytes') {
    const { length } = value as Uint8Array;
    return varintSize(length) + length;
  }
  const wireType = wireTypeOf(type);
  if (wireType === WireType.fixed64) return 8;
  if (wireType === WireType.fixed32) return 4;
  return int64Size(value as number | bigint | boolean);
}

function writeValue(type: FieldType, value: unknown, into: Uint8Array, at: number): number {
  if (typeof type === 'object' && type.kind === 'message') {
    at = writeVarint(into, at, sizeOf(type, value as Values));
    return write(type, value as Values, into, at);
  }
  if (type === 'string' || type === 'bytes') {
    const bytes = type === 'string' ? Buffer.from(value as string) : (value as Uint8Array);
    at = writeVarint(into, at, bytes.length);
    into.set(bytes, at);
    return at + bytes.length;
  }
  if (type === 'double' || type === 'fixed64' || type === 'fixed32')
    return writeFixed(type, into, at, value as number | bigint);
  return writeInt64(into, at, value as number | bigint | boolean);
}

function writeFixed(
  type: 'double' | 'fixed64' | 'fixed32',
  into: Uint8Array,
  at: number,
  value: number | bigint,
): number {
  const view = new DataView(into.buffer, into.byteOffset);
  if (type === 'double') view.setFloat64(at, Number(value), true);
  else if (type === 'fixed64') view.setBigUint64(at, BigInt(value), true);
  else view.setUint32(at, Number(value), true);
  return at + (type === 'fixed32' ? 4 : 8);
}

/** What a non-negative safe integer takes as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes a non-negative safe integer. Returns where the next thing begins. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  // Beyond 31 bits the operators of bits are of no use.
  for (; rest >= 0x8000_0000; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 0x80;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}

function int64Size(value: number | bigint | boolean): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest >= 0x80n; rest >>= 7n) size++;
  return size;
}

function writeInt64(into: Uint8Array, at: number, value: number | bigint | boolean): number {
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) into[at++] = Number(rest & 0x7fn) | 0x80;
  into[at++] = Number(rest);
  return at;
}
