import { describe, expect, test } from 'vitest';
import { MemoryPool } from './lent-memory.ts';

const KiB = 1024;

describe('a pool of memory', () => {
  test('gives a buffer out again once it was given back', () => {
    const pool = new MemoryPool(1024 * KiB);
    const memory = pool.lend();
    const first = memory.buffer(100 * KiB);
    const second = memory.buffer(100 * KiB);
    expect(first.length).toBe(100 * KiB);
    expect(second.buffer).not.toBe(first.buffer);
    expect(pool.freeBytes).toBe(0);
    memory.giveBack();
    memory.giveBack();
    const next = pool.lend();
    const lent = [next.buffer(90 * KiB), next.buffer(110 * KiB), next.buffer(100 * KiB)];
    expect(lent.map(({ length }) => length / KiB)).toEqual([90, 110, 100]);
    const known = [first.buffer, second.buffer];
    expect(lent.map(({ buffer }) => known.includes(buffer))).toEqual([true, true, false]);
    expect(lent[0]!.buffer).not.toBe(lent[1]!.buffer);
  });

  test('takes no long buffer for a short piece, and no short one for a long piece', () => {
    const pool = new MemoryPool(4096 * KiB);
    const memory = pool.lend();
    memory.buffer(1024 * KiB);
    memory.giveBack();
    const free = pool.freeBytes;
    pool.lend().buffer(100 * KiB);
    pool.lend().buffer(1025 * KiB);
    expect(pool.freeBytes).toBe(free);
  });

  test('keeps no more than it may, and drops what waited longest', () => {
    const pool = new MemoryPool(300 * KiB);
    const memory = pool.lend();
    const [, newer, newest] = [memory.buffer(128 * KiB), memory.buffer(128 * KiB), memory.buffer(128 * KiB)];
    memory.giveBack();
    expect(pool.freeBytes).toBe(256 * KiB);
    const next = pool.lend();
    const lent = [next.buffer(128 * KiB), next.buffer(128 * KiB), next.buffer(128 * KiB)];
    expect(lent[0]!.buffer).toBe(newest!.buffer);
    expect(lent[1]!.buffer).toBe(newer!.buffer);
    const huge = pool.lend();
    huge.buffer(1024 * KiB);
    huge.giveBack();
    expect(pool.freeBytes).toBe(0);
  });
});
