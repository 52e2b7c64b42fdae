import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEY_SLOT_BYTES, KeyOffsets } from './keys.ts';

function put(keys: KeyOffsets, key: Uint8Array, offset: number): boolean {
  return keys.put(key, 0, key.length, offset);
}

function get(keys: KeyOffsets, key: Uint8Array): number {
  return keys.get(key, 0, key.length);
}

describe('the last offsets of keys', () => {
  it('are those of a map, whatever the keys', () => {
    const key = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 2 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat()), { maxLength: 3000 }), (given) => {
        const keys = new KeyOffsets(1e6);
        const wanted = new Map<string, number>();
        for (const [bytes, offset] of given) {
          expect(put(keys, bytes, offset)).toBe(true);
          wanted.set(Buffer.from(bytes).toString('hex'), offset);
        }
        expect(keys.size).toBe(wanted.size);
        for (const [bytes] of given)
          expect(get(keys, bytes)).toBe(wanted.get(Buffer.from(bytes).toString('hex')));
        expect(get(keys, Buffer.from('a key that nobody gave, of all'))).toBe(-1);
      }),
      { numRuns: 50 },
    );
  });

  it('are found among very many', () => {
    const keys = new KeyOffsets(64 * 1024 * KEY_SLOT_BYTES);
    const keyOf = (index: number) =>
      Buffer.from(index % 2 === 0 ? `${index}` : `a key of more bytes: ${index}`);
    for (let index = 0; index < 50_000; index++) put(keys, keyOf(index), index);
    for (let index = 0; index < 50_000; index++) expect(get(keys, keyOf(index))).toBe(index);
    expect(get(keys, keyOf(50_000))).toBe(-1);
    keys.clear();
    expect([keys.size, get(keys, keyOf(7))]).toEqual([0, -1]);
  });

  it('do not mix up keys that are alike', () => {
    const keys = new KeyOffsets(1e6);
    const long = Buffer.from('sixteen bytes!!!');
    // The first 15 bytes of its hash as a key of their own.
    const digest = createHash('sha256').update(long).digest().subarray(0, 15);
    const alike = [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(15),
      Buffer.alloc(16),
      long,
      digest,
      Buffer.from([0xff]),
      Buffer.alloc(15, 0xff),
    ];
    for (const [offset, key] of alike.entries()) put(keys, key, offset);
    expect(alike.map((key) => get(keys, key))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('take no more room than they may, and always one', () => {
    for (const slots of [0, 1, 2, 16]) {
      const keys = new KeyOffsets(slots * KEY_SLOT_BYTES);
      let count = 0;
      while (put(keys, Buffer.from(String(count)), count)) count++;
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(Math.max(1, slots));
      expect(put(keys, Buffer.from('0'), 77)).toBe(true);
      expect(get(keys, Buffer.from('0'))).toBe(77);
    }
  });
});
