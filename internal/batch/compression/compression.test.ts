import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOLDEN_COMPRESSIONS } from '../../../test/golden/compression.ts';
import { CODECS, type Codec, compress, decompress } from './compression.ts';
import { CompressionError } from './compression-error.ts';
import { xxhash32 } from './xxhash32.ts';

const MAX_BYTES = 1 << 20;

describe.each(GOLDEN_COMPRESSIONS)('$name', ({ codec, hex, expanded, wholeAt = [] }) => {
  const compressed = fromHex(hex);

  it('expands to what a real library compressed', () => {
    expect(toHex(decompress(codec, compressed, MAX_BYTES))).toBe(toHex(expanded));
  });

  it('expands up to the limit and not a byte further', () => {
    expect(decompress(codec, compressed, expanded.length)).toHaveLength(expanded.length);
    expect(codeOf(() => decompress(codec, compressed, expanded.length - 1))).toBe('too-large');
    expect(codeOf(() => decompress(codec, compressed, 0))).toBe('too-large');
  });

  it('is refused wherever it is cut off', () => {
    for (let length = 0; length < compressed.length; length++) {
      const code = codeOf(() => decompress(codec, compressed.subarray(0, length), MAX_BYTES));
      expect(code).toBe(wholeAt.includes(length) ? 'nothing' : 'corrupt');
    }
  });

  it('never does more than refuse, whatever byte is changed', () => {
    for (let at = 0; at < compressed.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = compressed.slice();
        changed[at] ^= flip;
        expectBounded(codec, changed, expanded.length + 1000);
      }
    }
  });
});

describe.each(CODECS)('%s', (codec) => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(content(), (bytes) => {
        const compressed = compress(codec, bytes);
        expect(toHex(decompress(codec, compressed, bytes.length))).toBe(toHex(bytes));
      }),
    );
  });

  it('gives back runs that take several blocks', () => {
    for (const size of [32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000]) {
      for (const bytes of [repeating(size), unrepeating(size)]) {
        const expanded = decompress(codec, compress(codec, bytes), size);
        expect(Buffer.compare(expanded, bytes)).toBe(0);
      }
    }
  });

  it('takes any bytes without failing otherwise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => expectBounded(codec, bytes, 1000)));
  });

  it('expands no more of a bomb than the limit', () => {
    const bomb = compress(codec, new Uint8Array(8 << 20));
    expect(codeOf(() => decompress(codec, bomb, MAX_BYTES))).toBe('too-large');
  });
});

describe('what compresses well becomes smaller', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', (codec) => {
    expect(compress(codec, repeating(65_536)).length).toBeLessThan(65_536 / 8);
    // Noise grows by a few bytes of framing only.
    expect(compress(codec, unrepeating(65_536)).length).toBeLessThan(65_536 + 200);
  });
});

describe('claims of a size that are not true', () => {
  const unlimited = Number.MAX_SAFE_INTEGER;

  it.each([
    ['raw snappy of 32 GiB', 'snappy', 'ffffffff7f 00 61'],
    ['a framed block of 32 GiB', 'snappy', '82534e4150505900 00000001 00000001 00000007 ffffffff7f 0061'],
    ['a framed block longer than the rest', 'snappy', '82534e4150505900 00000001 00000001 ffffffff 0061'],
    ['a snappy literal of 4 GiB', 'snappy', '05 fc ffffffff 61'],
    ['a snappy copy from before the beginning', 'snappy', '05 0061 0102'],
    [
      'a snappy copy from the block before',
      'snappy',
      '82534e4150505900 00000001 00000001 00000003 01 0061 00000005 05 0061 0102',
    ],
    ['a snappy copy of nothing', 'snappy', '05 0061 0100'],
    ['a snappy length of six bytes', 'snappy', 'ffffffffff 01'],
    ['less snappy than was promised', 'snappy', '05 0061'],
    ['an lz4 block longer than the rest', 'lz4', lz4Frame('60 40', '00000100 00')],
    ['an lz4 block of 2 GiB', 'lz4', lz4Frame('60 40', 'ffffff7f 00')],
    ['an lz4 copy from before the beginning', 'lz4', lz4Frame('60 40', '05000000 10 61 0200 00 00000000')],
    ['an lz4 copy of nothing', 'lz4', lz4Frame('60 40', '05000000 10 61 0000 00 00000000')],
    ['lz4 content of 2^50 bytes', 'lz4', lz4Frame('68 40 0000000000000400', '00000000')],
    ['lz4 with a dictionary', 'lz4', lz4Frame('61 40 00000000', '00000000')],
    ['lz4 of another version', 'lz4', lz4Frame('a0 40', '00000000')],
    ['lz4 blocks of a size that is not known', 'lz4', lz4Frame('60 30', '00000000')],
    ['bytes after an lz4 frame', 'lz4', lz4Frame('60 40', '00000000 00')],
    ['no lz4 frame at all', 'lz4', '0102030405060708'],
  ] as const)('%s', (_name, codec, hex) => {
    expect(codeOf(() => decompress(codec, fromHex(hex), unlimited))).toBe('corrupt');
  });

  it('an lz4 block that says it is independent and refers to the block before', () => {
    const linked = GOLDEN_COMPRESSIONS.find(({ name }) => name.includes('refers to the first'))!;
    const relabelled = fromHex(linked.hex);
    relabelled[4] |= 0x20;
    relabelled[6] = (xxhash32(relabelled, 4, 6) >>> 8) & 0xff;
    expect(codeOf(() => decompress('lz4', relabelled, MAX_BYTES))).toBe('corrupt');
  });

  it.each([
    ['content', 1],
    ['block', 9],
  ])('an lz4 %s checksum that differs', (_what, beforeEnd) => {
    const { hex } = GOLDEN_COMPRESSIONS.find(({ name }) => name.includes('all its checksums'))!;
    const changed = fromHex(hex);
    changed[changed.length - beforeEnd] ^= 1;
    expect(codeOf(() => decompress('lz4', changed, MAX_BYTES))).toBe('corrupt');
  });

  it('an lz4 block that expands beyond its block size', () => {
    const run = new Uint8Array(300).fill(0xff);
    const block = Buffer.concat([fromHex('1f 61 0100'), run, fromHex('00 00')]);
    const frame = fromHex(lz4Frame('60 40', `${littleEndian(block.length)} ${toHex(block)} 00000000`));
    expect(codeOf(() => decompress('lz4', frame, unlimited))).toBe('corrupt');
  });
});

/** Bytes with and without anything that repeats. */
function content(): fc.Arbitrary<Uint8Array> {
  const words = fc.array(fc.constantFrom('sensors/', 'kitchen', 'a', 'temp 21.5', '\0\0\0\0'), {
    maxLength: 400,
  });
  return fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    words.map((parts) => new TextEncoder().encode(parts.join(''))),
    fc
      .tuple(fc.nat({ max: 255 }), fc.nat({ max: 3000 }))
      .map(([byte, size]) => new Uint8Array(size).fill(byte)),
  );
}

function repeating(size: number): Uint8Array {
  const words = new TextEncoder().encode('sensors/kitchen/temperature 21.5 degrees; ');
  return Uint8Array.from({ length: size }, (_, index) => words[index % words.length]);
}

function unrepeating(size: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

/** A frame with these flags, block size and content size, the checksum that belongs to them, and this rest. */
function lz4Frame(descriptor: string, rest: string): string {
  const checksum = (xxhash32(fromHex(descriptor)) >>> 8) & 0xff;
  return `04224d18 ${descriptor} ${checksum.toString(16).padStart(2, '0')} ${rest}`;
}

function littleEndian(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString('hex');
}

function expectBounded(codec: Codec, bytes: Uint8Array, maxBytes: number): void {
  try {
    expect(decompress(codec, bytes, maxBytes).length).toBeLessThanOrEqual(maxBytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CompressionError);
  }
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof CompressionError) return error.code;
    throw error;
  }
  return 'nothing';
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
