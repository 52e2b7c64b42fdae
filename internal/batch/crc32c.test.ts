import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

describe('CRC-32C', () => {
  // RFC 3720, appendix B.4, and the check value that catalogues of checksums give.
  it.each([
    ['nothing', new Uint8Array(0), 0],
    ['the digits 1 to 9', new TextEncoder().encode('123456789'), 0xe306_9283],
    ['32 zeros', new Uint8Array(32), 0x8a91_36aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    ['32 ascending', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd_794e],
    ['32 descending', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113f_db5c],
  ])('of %s', (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('agrees with its definition, bit by bit, for every length and slice', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.nat({ max: 40 }),
        fc.nat({ max: 40 }),
        (bytes, before, after) => {
          const start = Math.min(before, bytes.length);
          const end = Math.max(start, bytes.length - after);
          expect(crc32c(bytes, start, end)).toBe(bitByBit(bytes.subarray(start, end)));
        },
      ),
    );
  });

  it('can be taken in parts, also of runs that are longer than its own memory', () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >>> 8)) & 0xff);
    const whole = bitByBit(bytes);
    expect(crc32c(bytes)).toBe(whole);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length }), (cut) => {
        expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(whole);
      }),
      { numRuns: 20 },
    );
  });
});

function bitByBit(bytes: Uint8Array): number {
  let state = 0xffff_ffff;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f6_3b78 : 0);
  }
  return ~state >>> 0;
}
