import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RecordCursor } from './record-cursor.ts';

/** A length as it may stand in a record: of null, short, or long enough for a number of three bytes and more. */
const anyLength = fc.oneof(fc.constant(-1), fc.integer({ min: -3, max: 20 }), fc.nat(80), fc.nat(10_000));
const anyRecord = fc.record({
  attributes: fc.nat(255),
  timestampDelta: fc.oneof(fc.integer({ min: -70, max: 70 }), fc.integer({ min: -(2 ** 30), max: 2 ** 30 })),
  offsetDelta: fc.oneof(fc.nat(70), fc.nat(2 ** 30)),
  key: anyLength,
  value: anyLength,
  headers: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -2, max: 2 })),
  /** How much longer it claims to be than it is. */
  more: fc.oneof(fc.constant(0), fc.constant(0), fc.constant(0), fc.integer({ min: -3, max: 3 })),
  /** Bytes behind it. */
  rest: fc.nat(20),
});

type AnyRecord = typeof anyRecord extends fc.Arbitrary<infer R> ? R : never;

/** Records of all shapes, right and wrong, with short and long numbers: those that are read quickly are read no other way. */
it('reads any record as one does that takes each field by itself', () => {
  const property = fc.property(anyRecord, (record) => {
    const { bytes, isRight } = encoded(record);
    const cursor = new RecordCursor();
    if (!isRight) {
      expect(() => cursor.read(bytes, 2, bytes.length, 0)).toThrow('record 0');
      return;
    }
    cursor.read(bytes, 2, bytes.length, 0);
    const { timestampDelta, offsetDelta, keyStart, keyEnd, valueStart, valueEnd, headerCount, end } = cursor;
    expect({ timestampDelta, offsetDelta, headerCount, end }).toEqual({
      timestampDelta: record.timestampDelta,
      offsetDelta: record.offsetDelta,
      headerCount: Math.max(0, record.headers),
      end: bytes.length - record.rest,
    });
    expect(lengthOf(bytes, keyStart, keyEnd, KEY)).toBe(record.key);
    expect(lengthOf(bytes, valueStart, valueEnd, VALUE)).toBe(record.value);
    expect(cursor.headers(bytes)).toHaveLength(headerCount);
  });
  fc.assert(property, { numRuns: 2_000 });
});

const KEY = 0xaa;
const VALUE = 0xbb;

/** A record behind two other bytes, and whether it is one. */
function encoded(record: AnyRecord): { bytes: Uint8Array; isRight: boolean } {
  const { attributes, timestampDelta, offsetDelta, key, value, headers, more, rest } = record;
  const body = Buffer.concat([
    Uint8Array.of(attributes),
    varint(timestampDelta),
    varint(offsetDelta),
    varint(key),
    filled(key, KEY),
    varint(value),
    filled(value, VALUE),
    varint(headers),
    ...Array.from({ length: Math.max(0, headers) }, () => Uint8Array.of(2, 0x68, 1)),
  ]);
  const bytes = Buffer.concat([Uint8Array.of(1, 1), varint(body.length + more), body, new Uint8Array(rest)]);
  return { bytes, isRight: key >= -1 && value >= -1 && headers >= -1 && more === 0 };
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(Math.max(0, length)).fill(byte);
}

/** The length of a field that has nothing but this byte; -1 for null. */
function lengthOf(bytes: Uint8Array, start: number, end: number, byte: number): number | undefined {
  if (start < 0) return end === -1 ? -1 : undefined;
  return bytes.subarray(start, end).every((each) => each === byte) ? end - start : undefined;
}

/** Zigzag, seven bits a byte. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; raw >= 0x80; raw >>>= 7) bytes.push((raw & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, raw);
}
