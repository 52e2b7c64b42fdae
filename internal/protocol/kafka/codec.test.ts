import { describe, expect, expectTypeOf, it } from 'vitest';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { MAX_ELEMENTS } from './reader.ts';
import {
  array,
  bool,
  bytes,
  defineMessage,
  float64,
  INT64_MAX,
  type InputOf,
  int8,
  int16,
  int32,
  int64,
  parseVersions,
  records,
  string,
  struct,
  uint16,
  uint32,
  uuid,
  type ValueOf,
  type VersionNotation,
  varint,
  ZERO_UUID,
} from './schema.ts';

/** Version 0 is classic, version 1 flexible. */
const everything = defineMessage({
  name: 'everything',
  versions: '0-1',
  flexibleFrom: 1,
  fields: {
    bool: bool(),
    int8: int8(),
    int16: int16(),
    uint16: uint16(),
    int32: int32(),
    uint32: uint32(),
    int64: int64(),
    varint: varint(),
    float64: float64(),
    string: string({ nullable: true }),
    plain: string({ classic: true }),
    uuid: uuid(),
    bytes: bytes({ nullable: true }),
    records: records({ nullable: true }),
    list: array(int16(), { nullable: true }),
    struct: struct({ inner: int8() }, { nullable: true }),
  },
});

const FULL = {
  bool: true,
  int8: -2,
  int16: -3,
  uint16: 0xfffe,
  int32: -4,
  uint32: 0xffff_fffe,
  int64: -5,
  varint: -3,
  float64: 0.5,
  string: 'ä',
  plain: 'p',
  uuid: '0123456789abcdefghijkA',
  bytes: Buffer.from([1]),
  records: Buffer.from([2, 3]),
  list: [7],
  struct: { inner: 9 },
};

const NUMBERS = '01 fe fffd fffe fffffffc fffffffe fffffffffffffffb 05 3fe0000000000000';
const ID = 'd35db7e39ebbf3d69b71d79f8218a390';

const EMPTY = { string: '', plain: '', bytes: Buffer.alloc(0), records: Buffer.alloc(0), list: [] };

describe('every type', () => {
  it.each([
    ['classic', 0, FULL, `${NUMBERS} 0002c3a4 000170 ${ID} 0000000101 000000020203 000000010007 01 09`],
    ['flexible', 1, FULL, `${NUMBERS} 03c3a4 000170 ${ID} 0201 030203 020007 01 0900 00`],
    [
      'classic, null',
      0,
      { ...FULL, string: null, bytes: null, records: null, list: null, struct: null },
      `${NUMBERS} ffff 000170 ${ID} ffffffff ffffffff ffffffff ff`,
    ],
    [
      'flexible, null',
      1,
      { ...FULL, string: null, bytes: null, records: null, list: null, struct: null },
      `${NUMBERS} 00 000170 ${ID} 00 00 00 ff 00`,
    ],
    [
      'classic, empty',
      0,
      { ...FULL, ...EMPTY },
      `${NUMBERS} 0000 0000 ${ID} 00000000 00000000 00000000 01 09`,
    ],
    ['flexible, empty', 1, { ...FULL, ...EMPTY }, `${NUMBERS} 01 0000 ${ID} 01 01 01 01 0900 00`],
  ])('%s', (_, version, value, hex) => {
    expectBytes(encode(everything, version, value), fromHex(hex));
    expect(decodeMessage(everything, version, fromHex(hex))).toStrictEqual(value);
  });

  it('has its zero where the version has no field, or nothing was given', () => {
    const message = defineMessage({
      name: 'late',
      versions: '0-1',
      fields: {
        number: int32({ versions: '1+' }),
        other: int64({ versions: '1+', default: -1 }),
        text: string({ versions: '1+' }),
        id: uuid({ versions: '1+' }),
        none: string({ versions: '1+', nullable: true, default: null }),
        list: array(int8(), { versions: '1+' }),
        inner: struct({ a: int8({ default: 3 }) }, { versions: '1+' }),
      },
    });
    const zeros = { number: 0, other: -1, text: '', id: ZERO_UUID, none: null, list: [], inner: { a: 3 } };
    expect(decodeMessage(message, 0, Buffer.alloc(0))).toEqual(zeros);
    expectBytes(encode(message, 0, { number: 5 }), Buffer.alloc(0));
    expect(decodeMessage(message, 1, encode(message, 1, {}))).toEqual(zeros);
  });
});

describe('int64', () => {
  const message = defineMessage({ name: 'number', versions: '0', fields: { number: int64() } });

  it.each([
    [0, '0000000000000000'],
    [-1, 'ffffffffffffffff'],
    [2 ** 32, '0000000100000000'],
    [-(2 ** 32) - 1, 'fffffffeffffffff'],
    [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    [Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
    [INT64_MAX, '7fffffffffffffff'],
    [-INT64_MAX, '8000000000000000'],
  ])('%d is exact', (number, hex) => {
    expectBytes(encode(message, 0, { number }), fromHex(hex));
    expect(decodeMessage(message, 0, fromHex(hex))).toEqual({ number });
  });

  it('keeps the order of numbers that are too great to be exact', () => {
    const great = ['0020000000000001', '0020000000000003', '7ffffffffffffffe', '7fffffffffffffff'];
    const numbers = great.map((hex) => decodeMessage(message, 0, fromHex(hex)).number);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    expect(numbers.at(-1)).toBe(INT64_MAX);
  });
});

describe('tagged fields', () => {
  const message = defineMessage({
    name: 'tagged',
    versions: '0-2',
    flexibleFrom: 1,
    fields: {
      first: int8(),
      second: string({ versions: '1+', default: 'none', tag: 1 }),
      zeroth: struct({ a: int8(), b: int8({ default: -1 }) }, { versions: '2+', tag: 0 }),
      list: array(int8(), { versions: '1+', nullable: true, default: null, tag: 5 }),
    },
  });
  const absent = { second: 'none', zeroth: { a: 0, b: -1 }, list: null };

  it('are written in the order of their tags, where they are not their default', () => {
    const value = { first: 1, second: 'x', zeroth: { a: 2 }, list: [] };
    expectBytes(encode(message, 2, value), fromHex('01 03 00 03 02ff00 01 02 0278 05 01 01'));
    expectBytes(encode(message, 1, value), fromHex('01 02 01 02 0278 05 01 01'));
    expectBytes(encode(message, 0, value), fromHex('01'));
    expectBytes(
      encode(message, 2, { first: 1, second: 'none', zeroth: { a: 0 }, list: null }),
      fromHex('0100'),
    );
  });

  it('that are long have a long size', () => {
    const value = { first: 1, second: 'x'.repeat(20_000), zeroth: { a: 0, b: -1 }, list: null };
    expect(decodeMessage(message, 1, encode(message, 1, value))).toEqual(value);
  });

  it('are read in any order; those that nobody knows are skipped', () => {
    const bytes = fromHex('01 05 01 02 0279 63 03 aabbcc 00 03 05ff00 8001 00 05 02 0207');
    const read = decodeMessage(message, 2, bytes);
    expect(read).toEqual({ first: 1, second: 'y', zeroth: { a: 5, b: -1 }, list: [7] });
    // A tag of another version is one that this one does not know.
    expect(decodeMessage(message, 1, fromHex('01 01 00 03 05ff00'))).toEqual({ first: 1, ...absent });
  });

  it.each([
    ['that claims more bytes than there are', '01 01 63 05 00', /^tag 99: 5 bytes wanted, 1 left/],
    ['that claims 4 GiB', '01 01 01 ffffffff0f', /^second: 4294967295 bytes wanted, 0 left/],
    ['that is longer than its value', '01 01 01 03 0278 00', /^second: 3 bytes for a value of 2/],
    ['that is shorter than its value', '01 01 01 01 0278', /^second: 1 bytes wanted, 0 left/],
    ['whose number goes on', '01 01 ffffffffff', /varint above 32 bits at byte 2/],
    ['that is missing', '01 02 01 02 0278', /varint without an end at byte 6/],
  ])('one %s is refused', (_, hex, problem) => {
    expect(() => decodeMessage(message, 2, fromHex(hex))).toThrow(problem);
  });
});

describe('what is refused', () => {
  const message = defineMessage({
    name: 'nested',
    versions: '0-1',
    flexibleFrom: 1,
    fields: { topics: array(struct({ name: string(), data: bytes(), numbers: array(int32()) })) },
  });

  it.each([
    ['a list of -2', 0, 'fffffffe', 'invalid-length', 'topics', 0],
    ['a list of null', 0, 'ffffffff', 'unexpected-null', 'topics', 0],
    ['two thousand million elements', 0, '7fffffff', 'invalid-length', 'topics', 0],
    ['more elements than bytes', 1, 'ffffffff0f 00000000', 'invalid-length', 'topics', 0],
    ['a string of -2', 0, '00000001 fffe 00000000 00000000', 'invalid-length', 'topics[0].name', 4],
    ['a string of null', 1, '02 00 01 01 00', 'unexpected-null', 'topics[0].name', 1],
    ['a string beyond the end', 1, '02 06 61 01 01', 'truncated', 'topics[0].name', 2],
    ['bytes beyond the end', 0, '00000001 0000 40000000 00000000', 'truncated', 'topics[0].data', 10],
    ['a list inside', 1, '03 01 01 01 00 02 61 01 f001 00', 'invalid-length', 'topics[1].numbers', 8],
  ] as const)('%s, by path and place', (_, version, hex, code, path, offset) => {
    const error = refusalOf(() => decodeMessage(message, version, fromHex(hex)));
    expect(error).toMatchObject({ code, path, offset });
    expect(error.message).toMatch(new RegExp(`^${path.replace(/[[\]]/g, '\\$&')}: .* at byte ${offset}$`));
  });

  it('a message whose elements are many and small, before they fill the memory', () => {
    const small = defineMessage({ name: 'small', versions: '0', fields: { lists: array(array(int8())) } });
    const half = Buffer.alloc(4 + MAX_ELEMENTS / 2);
    half.writeInt32BE(MAX_ELEMENTS / 2);
    const one = decodeMessage(small, 0, Buffer.concat([fromHex('00000001'), half]));
    expect(one.lists[0]).toHaveLength(MAX_ELEMENTS / 2);
    const error = refusalOf(() => decodeMessage(small, 0, Buffer.concat([fromHex('00000002'), half, half])));
    expect(error).toMatchObject({ code: 'invalid-length', path: 'lists[1]' });
  });

  it.each([
    ['a version that is not there', () => decodeMessage(message, 2, Buffer.alloc(0)), 'unsupported-version'],
    ['half a version', () => decodeMessage(message, 0.5, Buffer.alloc(0)), 'unsupported-version'],
    ['an int8 of 128', () => encode(everything, 0, { ...FULL, int8: 128 }), 'invalid-value'],
    ['a negative uint16', () => encode(everything, 0, { ...FULL, uint16: -1 }), 'invalid-value'],
    ['an int32 of 2^31', () => encode(everything, 0, { ...FULL, int32: 2 ** 31 }), 'invalid-value'],
    ['a uint32 of 2^32', () => encode(everything, 0, { ...FULL, uint32: 2 ** 32 }), 'invalid-value'],
    ['half an int64', () => encode(everything, 0, { ...FULL, int64: 0.5 }), 'invalid-value'],
    ['an infinite int64', () => encode(everything, 0, { ...FULL, int64: Infinity }), 'invalid-value'],
    ['a great varint', () => encode(everything, 0, { ...FULL, varint: 2 ** 31 }), 'invalid-value'],
    ['a short uuid', () => encode(everything, 0, { ...FULL, uuid: 'abc' }), 'invalid-value'],
    [
      'a uuid of other characters',
      () => encode(everything, 0, { ...FULL, uuid: '?'.repeat(22) }),
      'invalid-value',
    ],
    [
      'a string of 32 KiB',
      () => encode(everything, 0, { ...FULL, string: 'x'.repeat(32_768) }),
      'invalid-value',
    ],
    [
      'null that may not be',
      () => encode(everything, 0, { ...FULL, plain: null as never }),
      'unexpected-null',
    ],
  ] as const)('%s', (_, attempt, code) => {
    expect(refusalOf(attempt).code).toBe(code);
  });

  it('a value inside, by its path', () => {
    const element = { name: 'a', data: Buffer.alloc(0), numbers: [1, 2.5] };
    const error = refusalOf(() => encode(message, 0, { topics: [element] }));
    expect(error.path).toBe('topics[0].numbers[1]');
  });

  it.each(['', '-1', '3-1', '+', 'x'])('%j as a range of versions', (notation) => {
    expect(() => parseVersions(notation as VersionNotation)).toThrow(RangeError);
  });
});

describe('memory', () => {
  it('is not reserved for a claim: twenty thousand of them leave nothing behind', () => {
    const message = defineMessage({
      name: 'claims',
      versions: '0',
      fields: { list: array(int64()), data: bytes() },
    });
    const claims = ['7ffffff0 00000000', '00000000 7ffffff0 00'].map(fromHex);
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 10_000; round++) {
      for (const claim of claims) expect(refusalOf(() => decodeMessage(message, 0, claim))).toBeDefined();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });

  it('of records is that of the input; bytes that may be kept for long are a copy', () => {
    const input = encode(everything, 1, FULL);
    const { records: view, bytes: copy } = decodeMessage(everything, 1, input);
    input.fill(0xee);
    expect(view).toEqual(Buffer.from([0xee, 0xee]));
    expect(copy).toEqual(Buffer.from([1]));
  });
});

describe('chunks', () => {
  const message = defineMessage({
    name: 'batches',
    versions: '0',
    fields: { before: string(), batches: array(struct({ records: records() })), after: string() },
  });

  it('are large records as they are, with everything else around them', () => {
    const large = [Buffer.alloc(1024, 1), Buffer.alloc(9000, 2)];
    const small = Buffer.alloc(1023, 3);
    const value = {
      before: 'a',
      batches: [{ records: large }, { records: small }, { records: [] }],
      after: 'b',
    };
    const chunks = encodeMessage(message, 0, value);
    expect(chunks.indexOf(large[0])).toBe(1);
    expect(chunks.indexOf(large[1])).toBe(2);
    expect(chunks).toHaveLength(4);
    const read = decodeMessage(message, 0, Buffer.concat(chunks));
    expect(read.batches.map((batch) => batch.records.length)).toEqual([10_024, 1023, 0]);
    expect(read).toMatchObject({ before: 'a', after: 'b' });
  });

  it('of a long message go on where the one before ended', () => {
    const batches = Array.from({ length: 3000 }, (_, index) => ({
      records: Buffer.alloc(index % 300, index),
    }));
    const value = { before: 'x'.repeat(20_000), batches, after: 'end' };
    expect(decodeMessage(message, 0, encode(message, 0, value))).toEqual(value);
  });
});

it('types follow the schema', () => {
  const message = defineMessage({
    name: 'typed',
    versions: '0-3',
    fields: {
      id: int32(),
      name: string({ nullable: '2+' }),
      late: bool({ versions: '1+' }),
      batches: records({ nullable: true, default: null }),
      parts: array(struct({ index: int32(), epoch: int32({ default: -1 }) })),
    },
  });
  expectTypeOf<ValueOf<typeof message>>().toEqualTypeOf<{
    readonly id: number;
    readonly name: string | null;
    readonly late: boolean;
    readonly batches: Uint8Array | null;
    readonly parts: readonly { readonly index: number; readonly epoch: number }[];
  }>();
  type Input = InputOf<typeof message>;
  expectTypeOf<{ id: number; name: null; parts: { index: number }[] }>().toExtend<Input>();
  expectTypeOf<{ id: number; name: string; batches: Uint8Array[]; parts: [] }>().toExtend<Input>();
  expectTypeOf<{ name: string; parts: [] }>().not.toExtend<Input>();
  expectTypeOf<{ id: null; name: string; parts: [] }>().not.toExtend<Input>();
  expectTypeOf<{ id: number; name: string; parts: { epoch: number }[] }>().not.toExtend<Input>();
});

function encode<M extends Parameters<typeof encodeMessage>[0]>(
  message: M,
  version: number,
  value: InputOf<M>,
): Buffer {
  return Buffer.concat(encodeMessage(message, version, value));
}

function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

function refusalOf(attempt: () => unknown): KafkaProtocolError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof KafkaProtocolError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
