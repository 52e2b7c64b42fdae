import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CrcUpdate, crcTables, type FoldDistances, loadWasmCrc } from './wasm-crc.ts';

const kinds: [string, number, FoldDistances][] = [
  ['CRC-32C', 0x82f6_3b78, [65, 155, 170, 195, 209]],
  ['CRC-32', 0xedb8_8320, [181, 199, 255, 263, 274]],
];

describe.each(kinds)('%s', (_name, polynomial, distances) => {
  const tables = crcTables(polynomial);

  it.each([true, false])('agrees with its definition (with vectors: %s)', (hasVectors) => {
    const update = loadWasmCrc(tables, distances, hasVectors)!;
    const expectSame = (bytes: Uint8Array, state: number, start: number, end: number) =>
      expect(update(state, bytes, start, end) >>> 0).toBe(byByte(tables, state, bytes, start, end));
    const bytes = noise(300_000);
    for (const length of [0, 1, 2_695, 2_696, 2_697, 3_300, 65_536, 105_000, 300_000]) {
      expectSame(bytes, 0xffff_ffff, 0, length);
    }
    const place = fc.nat({ max: 9_000 });
    const property = fc.property(place, place, fc.integer(), (one, other, state) => {
      expectSame(bytes, state, Math.min(one, other), Math.max(one, other));
    });
    fc.assert(property, { numRuns: 200 });
  });

  // Nothing of what was summed before may be left between the bytes.
  it('says the same of bytes whatever came before', () => {
    const update = loadWasmCrc(tables, distances)!;
    const bytes = noise(100_000);
    const sizes = [100_000, 3_000, 50_000, 4_000, 100_000, 10_000];
    for (const size of sizes) {
      expect(update(-1, bytes, 0, size) >>> 0).toBe(byByte(tables, -1, bytes, 0, size));
    }
  });
});

it('is there with and without vectors, and they differ', () => {
  const [, polynomial, distances] = kinds[0]!;
  // Powers of x^64 whose sum the polynomial does not divide.
  const wrong: FoldDistances = [65, 155, 170, 195, 210];
  const tables = crcTables(polynomial);
  const sum = (update: CrcUpdate) => update(-1, noise(10_000), 0, 10_000);
  const plain = sum(loadWasmCrc(tables, distances, false)!);
  expect(sum(loadWasmCrc(tables, wrong, false)!)).toBe(plain);
  expect(sum(loadWasmCrc(tables, wrong, true)!)).not.toBe(plain);
});

function noise(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Math.imul(index + 1, 0x9e37_79b1) >>> 13);
}

function byByte(tables: Int32Array, state: number, bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) state = tables[(state ^ bytes[at]!) & 0xff]! ^ (state >>> 8);
  return state >>> 0;
}
