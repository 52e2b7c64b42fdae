import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeaderField } from '../header-field.ts';
import { Http2Code, Http2Error } from '../http2-error.ts';
import { HpackDecoder } from './decoder.ts';
import { type EncodedField, HpackEncoder } from './encoder.ts';
import { goldenConnections } from './golden-blocks.ts';
import { decodeHuffman, encodeHuffman, huffmanLength } from './huffman.ts';

const LIST_BYTES = 1_000_000;

function decode(decoder: HpackDecoder, block: Uint8Array, maxListBytes = LIST_BYTES): [string, string][] {
  const fields: [string, string][] = [];
  decoder.decode(block, 0, block.length, maxListBytes, {
    add: ({ name, value }) => fields.push([name, value]),
  });
  return fields;
}

function encode(encoder: HpackEncoder, fields: readonly EncodedField[]): Uint8Array {
  const room = new Uint8Array(encoder.sizeBound(fields));
  return room.subarray(0, encoder.encode(fields, room, 0));
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

describe('the blocks of RFC 7541, appendix C', () => {
  it.each(goldenConnections)('$name', ({ tableBytes, blocks }) => {
    const decoder = new HpackDecoder(tableBytes);
    for (const { hex: block, fields } of blocks) expect(decode(decoder, hex(block))).toEqual(fields);
  });

  it('a size is what names and values take, and 32 for each field (section 4.1)', () => {
    const block = hex('828684410f7777772e6578616d706c652e636f6d');
    const size = new HpackDecoder(4_096).decode(block, 0, block.length, LIST_BYTES, { add() {} });
    expect(size).toBe(42 + 43 + 38 + 57);
  });
});

describe('what is no header block', () => {
  it.each([
    ['the index 0', '80', 'RFC 7541 2.3.3'],
    ['an index behind both tables', 'be', 'RFC 7541 2.3.3'],
    ['a name behind both tables', '7f00 0161', 'RFC 7541 2.3.3'],
    ['an integer that never ends', 'ffffffffffffff', 'RFC 7541 5.1'],
    ['an integer that is cut', 'ff80', 'RFC 7541 3.1'],
    ['a literal without its strings', '40', 'RFC 7541 3.1'],
    ['a string that is longer than the block', '400a61', 'RFC 7541 3.1'],
    ['a literal without its value', '400161', 'RFC 7541 3.1'],
    ['Huffman with the symbol EOS', '4084 ffffffff 0161', 'RFC 7541 5.2'],
    ['Huffman with a byte of padding', '4082 1fff 0161', 'RFC 7541 5.2'],
    ['Huffman padded with zeros', '4081 18 0161', 'RFC 7541 5.2'],
    ['a table that is too large', '3fe21f', 'RFC 7541 6.3'],
    ['a table size behind a field', '8220', 'RFC 7541 4.2'],
  ])('%s', (_what, block, rule) => {
    const decoding = () => decode(new HpackDecoder(4_096), hex(block));
    expect(decoding).toThrow(expect.objectContaining({ code: Http2Code.COMPRESSION_ERROR, rule }));
  });

  it('is never anything else than an error of HTTP/2', () => {
    const spoilt = fc.tuple(fc.constantFrom(...goldenConnections), fc.infiniteStream(fc.nat()));
    fc.assert(
      fc.property(spoilt, ([{ blocks, tableBytes }, numbers]) => {
        const decoder = new HpackDecoder(tableBytes);
        for (const { hex: block } of blocks) {
          const bytes = hex(block);
          bytes[numbers.next().value! % bytes.length] ^= 1 << (numbers.next().value! % 8);
          expectOnlyHttp2Error(() => decode(decoder, bytes));
        }
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expectOnlyHttp2Error(() => decode(new HpackDecoder(4_096), bytes));
      }),
    );
  });
});

function expectOnlyHttp2Error(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(Http2Error);
  }
}

describe('the table', () => {
  it('becomes smaller and larger as it is told (section 4.2)', () => {
    const decoder = new HpackDecoder(4_096);
    decode(decoder, hex('4001610162'));
    expect(decode(decoder, hex('be'))).toEqual([['a', 'b']]);
    expect(() => decode(decoder, hex('20be'))).toThrow('the index 62');
    expect(decode(decoder, hex('3fe11f'))).toEqual([]);
    decode(decoder, hex('4001630164'));
    expect(decode(decoder, hex('be'))).toEqual([['c', 'd']]);
  });

  it('is emptied by a field that it cannot hold (section 4.4)', () => {
    const decoder = new HpackDecoder(64);
    decode(decoder, hex('4001610162'));
    decode(decoder, Uint8Array.of(0x40, 1, 0x61, 60, ...new Uint8Array(60).fill(0x62)));
    expect(() => decode(decoder, hex('be'))).toThrow('the index 62');
  });

  it('knows fields of a list that was too long to be handed on', () => {
    const decoder = new HpackDecoder(4_096);
    expect(decode(decoder, hex('4001610162'), 10)).toEqual([]);
    expect(decode(decoder, hex('be'))).toEqual([['a', 'b']]);
  });

  it('that is referred to over and over makes a list of its real size, which is bounded', () => {
    const decoder = new HpackDecoder(4_096);
    decode(decoder, Uint8Array.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e, ...new Uint8Array(4_000).fill(0x62)));
    const bomb = new Uint8Array(10_000).fill(0xbe);
    let handedOn = 0;
    const size = decoder.decode(bomb, 0, bomb.length, 32_768, { add: () => handedOn++ });
    expect([size, handedOn]).toEqual([10_000 * 4_033, 8]);
  });
});

const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const anyField = fc.record({
  field: fc.tuple(text, text).map(([name, value]) => new HeaderField(name, value)),
  isRepeated: fc.boolean(),
});

describe('what is encoded', () => {
  it('comes back, whatever the sizes of the table', () => {
    const known = fc
      .array(anyField, { minLength: 1, maxLength: 8 })
      .chain((fields) => fc.array(fc.array(fc.constantFrom(...fields), { maxLength: 6 }), { maxLength: 8 }));
    fc.assert(
      fc.property(known, fc.array(fc.nat({ max: 5_000 })), (blocks, sizes) => {
        const encoder = new HpackEncoder(4_096);
        const decoder = new HpackDecoder(4_096);
        for (const [index, fields] of blocks.entries()) {
          for (const size of sizes.slice(index, index + 2)) encoder.limitTable(size);
          const block = encode(encoder, fields);
          expect(decode(decoder, block)).toEqual(fields.map(({ field }) => [field.name, field.value]));
        }
      }),
    );
  });

  it('is one byte for what was sent before', () => {
    const encoder = new HpackEncoder(4_096);
    const fields = [
      { field: new HeaderField(':status', '200'), isRepeated: true },
      { field: new HeaderField('content-type', 'application/grpc'), isRepeated: true },
    ];
    expect(Buffer.from(encode(encoder, fields)).toString('hex')).toBe('885f8b1d75d0620d263d4c4d6564');
    expect(Buffer.from(encode(encoder, fields)).toString('hex')).toBe('88be');
  });

  it('says the smallest and the last size of the table that its peer allowed (section 4.2)', () => {
    const encoder = new HpackEncoder(4_096);
    encoder.limitTable(100);
    encoder.limitTable(10);
    encoder.limitTable(8_000);
    expect(Buffer.from(encode(encoder, [])).toString('hex')).toBe('2a3fe11f');
    expect(encode(encoder, [])).toHaveLength(0);
  });
});

describe('Huffman', () => {
  it('gives back every text', () => {
    fc.assert(
      fc.property(text, (original) => {
        const coded = new Uint8Array(huffmanLength(original));
        expect(encodeHuffman(original, coded, 0)).toBe(coded.length);
        const decoded = Buffer.alloc(coded.length * 2);
        expect(decoded.toString('latin1', 0, decodeHuffman(coded, 0, coded.length, decoded))).toBe(original);
      }),
    );
  });
});
