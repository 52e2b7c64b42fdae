import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchMemory } from './batch-memory.ts';

describe('the memory of batches', () => {
  test('holds what was given, whatever becomes of the chunk', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 }), (lengths) => {
        const memory = new BatchMemory();
        const kept = lengths.map((length, index) => {
          const chunk = new Uint8Array(2 * length + 100).fill(index);
          const own = memory.own(chunk.subarray(50, 50 + length));
          chunk.fill(255);
          return own;
        });
        for (const [index, own] of kept.entries()) {
          expect(own).toHaveLength(lengths[index]);
          expect(own.every((byte) => byte === index)).toBe(true);
        }
      }),
    );
  });

  test('copies nothing that is nearly alone in its memory', () => {
    const memory = new BatchMemory();
    const request = new Uint8Array(1000);
    const batch = request.subarray(200, 1000);
    expect(memory.own(batch)).toBe(batch);
  });

  test('puts short batches together', () => {
    const memory = new BatchMemory();
    const chunk = new Uint8Array(1000);
    const buffers = new Set(Array.from({ length: 300 }, () => memory.own(chunk.subarray(0, 200)).buffer));
    expect(buffers.size).toBe(1);
  });

  test('gives a long batch memory of its own', () => {
    const memory = new BatchMemory();
    const own = memory.own(new Uint8Array(200_000).subarray(0, 50_000));
    expect(own.buffer.byteLength).toBe(50_000);
  });
});
