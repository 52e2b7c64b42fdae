import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtobufError, readMessage } from './read-message.ts';
import { enumeration, field, message, oneOf, packed, protoName, repeated } from './schema.ts';
import { encodeEnveloped, encodeMessage, varintSize, writeVarint } from './write-message.ts';

const Colour = enumeration('test.Colour', { RED: 0, BLUE: 2 });
const Inner = message('test.Inner', { text: field(1, 'string'), numbers: repeated(2, 'int32') });
const Everything = message('test.Everything', {
  text: field(1, 'string'),
  data: field(2, 'bytes'),
  small: field(3, 'int32'),
  large: field(4, 'int64'),
  flag: field(5, 'bool'),
  colour: field(6, Colour),
  inner: field(7, Inner),
  texts: repeated(8, 'string'),
  inners: repeated(9, Inner),
  largest: repeated(20_000, 'int64'),
  chosenText: oneOf('chosen', 30, 'string'),
  chosenInner: oneOf('chosen', 31, Inner),
  broken: field(32, 'double'),
  unsigned: field(33, 'fixed64'),
  short: field(34, 'fixed32'),
  manyBroken: repeated(35, 'double'),
  packedInts: packed(36, 'int64'),
});

const empty = readMessage(Everything, new Uint8Array(0));
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('a message', () => {
  it('comes back as it was written', () => {
    const inner = fc.record({ text: fc.string({ unit: 'grapheme' }), numbers: fc.array(fc.integer()) });
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(
        fc.record({
          text: fc.string({ unit: 'grapheme' }),
          data: fc.uint8Array(),
          small: fc.integer(),
          large: int64,
          flag: fc.boolean(),
          colour: fc.constantFrom(0, 2, -1),
          inner: fc.option(inner, { nil: undefined }),
          texts: fc.array(fc.string()),
          inners: fc.array(inner),
          largest: fc.array(int64),
          chosenText: fc.option(fc.string(), { nil: undefined }),
          // A zero below zero is a default, too.
          broken: fc.double({ noNaN: true }).map((n) => n + 0),
          unsigned: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          short: fc.nat({ max: 2 ** 32 - 1 }),
          manyBroken: fc.array(fc.double({ noNaN: true })),
          packedInts: fc.array(int64),
        }),
        (value) => {
          const written = encodeMessage(Everything, value);
          expect(readMessage(Everything, written)).toEqual({ ...value, chosenInner: undefined });
          // Wherever it is cut, it is a message or is refused as none.
          for (let end = 0; end < written.length; end++) tryReading(written.subarray(0, end));
        },
      ),
    );
  });

  it('is written as protoc writes it', () => {
    const value = {
      text: 'é',
      data: Uint8Array.of(1, 2),
      small: -1,
      large: 300n,
      flag: true,
      colour: 2,
      inner: { text: '', numbers: [1] },
      chosenText: '',
    };
    expect(Buffer.from(encodeMessage(Everything, value)).toString('hex')).toBe(
      ['0a02c3a9', '12020102', '18ffffffffffffffffff01', '20ac02', '2801', '3002', '3a021001', 'f20100'].join(
        '',
      ),
    );
    expect(encodeEnveloped(Inner, { text: 'a' })).toEqual(hex('00 00000003 0a0161'));
  });

  it('leaves out what has its default, and is empty where all has', () => {
    expect(encodeMessage(Everything, empty)).toHaveLength(0);
    expect(empty).toEqual({
      text: '',
      data: new Uint8Array(0),
      small: 0,
      large: 0n,
      flag: false,
      colour: 0,
      inner: undefined,
      texts: [],
      inners: [],
      largest: [],
      broken: 0,
      unsigned: 0n,
      short: 0,
      manyBroken: [],
      packedInts: [],
      chosenText: undefined,
      chosenInner: undefined,
    });
  });

  it.each<[string, string, object]>([
    ['fields that are not known', '7a0161 79 0102030405060708 7d01020304 7801 1807', { small: 7 }],
    ['a group that is not known', '7b 0801 7b 0a0161 7c 7c 1807', { small: 7 }],
    ['a field of another wire type', '0801 1a0161 1807', { small: 7 }],
    ['packed numbers', '82e2090301 ac02', { largest: [1n, 300n] }],
    ['the last of a field that comes twice', '1801 1802 0a0161 0a0162', { small: 2, text: 'b' }],
    ['messages in parts', '3a030a0161 3a021001', { inner: { text: 'a', numbers: [1] } }],
    ['the last of a oneof', 'f2010161 fa0100', { chosenInner: { text: '', numbers: [] } }],
    ['a number of 64 bits where 32 are meant', '18 ffffffffffffffff7f', { small: -1 }],
    ['U+FEFF as any character', '0a04efbbbf61', { text: '\ufeffa' }],
  ])('is read with %s', (_what, bytes, value) => {
    expect(readMessage(Everything, hex(bytes))).toEqual({ ...empty, ...value });
  });

  it.each([
    ['a tag that is cut off', '8a'],
    ['the field number 0', '0001'],
    ['a length beyond the end', '0a02 61'],
    ['a length beyond 32 bits', '0affffffffff01'],
    ['a number of eleven bytes', '18ffffffffffffffffffff01'],
    ['text that is not UTF-8', '0a01ff'],
    ['text with half a pair', '0a03eda080'],
    ['the end of a group that did not begin', '7c'],
    ['a group without an end', '7b0801'],
    ['a wire type that does not exist', '7e'],
    ['a message that is longer than the one around it', '3a03 0a0261'],
  ])('is refused with %s', (_what, bytes) => {
    expect(() => readMessage(Everything, hex(bytes))).toThrow(ProtobufError);
  });

  it('is refused where it lies too deep in itself', () => {
    expect(() => readMessage(Inner, new Uint8Array(1_000_000).fill(0x7b))).toThrow('too deep');
  });

  it('throws nothing else, whatever comes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => tryReading(bytes)));
  });
});

it('writes numbers of up to 53 bits', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const into = new Uint8Array(10);
      const end = writeVarint(into, 0, value);
      expect(end).toBe(varintSize(value));
      expect(readMessage(Everything, Uint8Array.of(0x20, ...into.subarray(0, end))).large).toBe(
        BigInt(value),
      );
    }),
  );
});

it('calls fields as .proto files do', () => {
  expect(['topic', 'nextOffset', 'fileByFilename'].map(protoName)).toEqual([
    'topic',
    'next_offset',
    'file_by_filename',
  ]);
});

function tryReading(bytes: Uint8Array): void {
  try {
    readMessage(Everything, bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ProtobufError);
  }
}
