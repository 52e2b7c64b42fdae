import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LentMemory, MemoryPool } from '../lib/lent-memory.ts';
import { KiB, MiB } from '../limits/units.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { BATCH_OVERHEAD_BYTES, PartitionTail, TailCache } from './tail-cache.ts';

/** The budget for so many batches with so many bytes. */
function budgetFor(batches: number, bytes: number): number {
  return batches * BATCH_OVERHEAD_BYTES + bytes;
}

function batch(baseOffset: number, count: number, bytes: number): StoredBatch {
  const lastOffset = baseOffset + count - 1;
  return { baseOffset, lastOffset, count, maxTimestamp: 0, bytes: new Uint8Array(bytes) };
}

function filledBatch(baseOffset: number, bytes: number, count = 1): StoredBatch {
  const filled = batch(baseOffset, count, bytes);
  filled.bytes.fill((baseOffset % 251) + 1);
  return filled;
}

describe('a tail', () => {
  it('gives whole batches from the one that holds an offset', () => {
    const tail = new PartitionTail(new TailCache(1e6));
    const batches = [batch(10, 5, 10), batch(15, 1, 10), batch(16, 4, 10)];
    for (const added of batches) tail.add(added);
    expect(tail.read(9, 20, 100)).toBeUndefined();
    expect(tail.read(10, 20, 100)).toEqual(batches);
    expect(tail.read(14, 20, 100)).toEqual(batches);
    expect(tail.read(15, 20, 100)).toEqual(batches.slice(1));
    expect(tail.read(19, 20, 100)).toEqual(batches.slice(2));
    expect(tail.read(20, 20, 100)).toBeUndefined();
    expect(tail.read(10, 16, 100)).toEqual(batches.slice(0, 2));
    expect(tail.read(10, 20, 20)).toEqual(batches.slice(0, 2));
    expect(tail.read(10, 20, 1)).toEqual(batches.slice(0, 1));
  });

  it('gives only what it has left where the front was dropped, and that room is free again', () => {
    const cache = new TailCache(budgetFor(5, 50));
    const [tail, other] = [new PartitionTail(cache), new PartitionTail(cache)];
    const batches = [batch(0, 3, 10), batch(3, 1, 10), batch(4, 2, 10)];
    tail.add(batches[0]);
    other.add(batch(0, 1, 10));
    tail.add(batches[1]);
    tail.add(batches[2]);
    tail.dropUntil(2);
    expect(tail.read(0, 6, 100)).toEqual(batches);
    tail.dropUntil(5);
    expect(cache.bytes).toBe(budgetFor(2, 20));
    expect(tail.read(3, 6, 100)).toBeUndefined();
    expect(tail.read(4, 6, 100)).toEqual(batches.slice(2));
    expect(other.read(0, 1, 100)).toHaveLength(1);
    // What is dropped for room is the oldest of what is left.
    for (let offset = 1; offset <= 4; offset++) other.add(batch(offset, 1, 10));
    expect(other.read(0, 5, 100)).toBeUndefined();
    expect(tail.read(4, 6, 100)).toHaveLength(1);
    tail.dropUntil(6);
    expect(tail.read(4, 6, 100)).toBeUndefined();
    tail.add(batch(6, 1, 10));
    expect(tail.read(6, 7, 100)).toHaveLength(1);
  });

  it('knows nothing of what was cleared, and its room is free again', () => {
    const cache = new TailCache(budgetFor(3, 30));
    const [tail, other] = [new PartitionTail(cache), new PartitionTail(cache)];
    tail.add(batch(0, 1, 10));
    other.add(batch(0, 1, 10));
    tail.add(batch(1, 1, 10));
    tail.clear();
    expect(cache.bytes).toBe(budgetFor(1, 10));
    expect(tail.read(0, 2, 100)).toBeUndefined();
    other.add(batch(1, 1, 20));
    expect(other.read(0, 2, 100)).toHaveLength(2);
    tail.add(batch(2, 1, 10));
    expect(other.read(0, 2, 100)).toBeUndefined();
    expect(tail.read(2, 3, 100)).toHaveLength(1);
  });

  it('lets go of the memory of what was dropped', async () => {
    const cache = new TailCache(budgetFor(1, 10));
    const tail = new PartitionTail(cache);
    const collected = new Set<number>();
    const registry = new FinalizationRegistry<number>((offset) => collected.add(offset));
    for (let offset = 0; offset < 20; offset++) {
      const added = batch(offset, 1, 10);
      registry.register(added.bytes.buffer, offset);
      tail.add(added);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = setInterval(() => {
      void new Array(1e6).fill({});
      if (collected.size >= 18) resolve();
    }, 5);
    await promise.finally(() => clearInterval(look));
    expect(tail.read(19, 20, 100)).toHaveLength(1);
  });

  it('uses memory again, and none that somebody still reads', () => {
    const tail = new PartitionTail(new TailCache(4 * MiB));
    let next = 0;
    const add = (count: number) => {
      for (const end = next + count; next < end; next++) tail.add(filledBatch(next, 64 * KiB));
    };
    const newest = (memory?: LentMemory) => tail.read(next - 1, next, 1, memory)![0]!.bytes;
    const pool = new MemoryPool(0);
    const memories = new Set<ArrayBufferLike>();
    add(1);
    const memory = pool.lend();
    const [read, own] = [newest(memory), newest()];
    expect(own.buffer).not.toBe(read.buffer);
    for (let rounds = 0; rounds < 300; rounds++) {
      add(1);
      const brief = pool.lend();
      memories.add(newest(brief).buffer);
      brief.giveBack();
    }
    // That of the first batch, and those that take turns.
    expect(memories.size).toBeLessThanOrEqual(4);
    for (const bytes of [read, own]) expect(Buffer.compare(bytes, filledBatch(0, 64 * KiB).bytes)).toBe(0);
    memory.giveBack();
    const seen = new Set<ArrayBufferLike>();
    for (let rounds = 0; rounds < 300; rounds++) {
      add(1);
      seen.add(newest(pool.lend()).buffer);
    }
    expect(seen).toContain(read.buffer);
  });

  it('gives slow readers memory of their own where they would keep too much', () => {
    const tail = new PartitionTail(new TailCache(4 * MiB));
    const pool = new MemoryPool(0);
    const lent: LentMemory[] = [];
    const memories = new Set<ArrayBufferLike>();
    let offset = 0;
    const readOne = () => {
      // So many that the slab of the one before is let go.
      for (let count = 0; count < 64; count++) tail.add(filledBatch(offset++, 64 * KiB));
      const memory = pool.lend();
      lent.push(memory);
      const { bytes } = tail.read(offset - 1, offset, 1, memory)![0]!;
      memories.add(bytes.buffer);
      return bytes;
    };
    const slabBytes = () => [...memories].reduce((sum, { byteLength }) => sum + byteLength, 0);
    const read = Array.from({ length: 60 }, readOne);
    expect(slabBytes()).toBeLessThan(100 * MiB);
    expect(read.every((bytes, index) => bytes[0] === ((64 * (index + 1) - 1) % 251) + 1)).toBe(true);
    for (const memory of lent) memory.giveBack();
    expect(readOne().buffer.byteLength).toBe(4 * MiB);
  });

  it.each([KiB, MiB])('leaves a batch of %d bytes where it is', (bytes) => {
    const tail = new PartitionTail(new TailCache(4 * MiB));
    const added = filledBatch(0, bytes);
    tail.add(added);
    const read = tail.read(0, 1, 1)![0]!.bytes;
    expect(read.buffer).toBe(added.bytes.buffer);
    expect(Buffer.compare(read, added.bytes)).toBe(0);
  });

  it('keeps no memory for a few batches among many that were forgotten', () => {
    const cache = new TailCache(8 * MiB);
    const [tail, other] = [new PartitionTail(cache), new PartitionTail(cache)];
    for (let offset = 0; offset < 10; offset++) {
      tail.add(batch(offset, 1, 8 * KiB));
      for (let round = 0; round < 8; round++) other.add(batch(round, 1, 512 * KiB));
      other.clear();
    }
    expect(tail.read(0, 10, MiB)).toBeUndefined();
    expect(tail.read(8, 10, MiB)).toHaveLength(2);
  });

  it('answers as a plain list does, within the budget', () => {
    const step = fc.oneof(
      fc.record({
        tail: fc.nat(2),
        count: fc.integer({ min: 1, max: 5 }),
        bytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 8 * KiB, max: 9 * KiB })),
      }),
      fc.record({ tail: fc.nat(2), from: fc.nat(40), until: fc.nat(60), maxBytes: fc.nat(20 * KiB) }),
      fc.record({ tail: fc.nat(2), clear: fc.constant(true) }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 60_000 }),
        (steps, budget) => {
          const cache = new TailCache(budget);
          const tails = [0, 1, 2].map(() => new PartitionTail(cache));
          const next = [0, 0, 0];
          let model: { tail: number; batch: StoredBatch }[] = [];
          const size = () => model.reduce((sum, kept) => sum + budgetFor(1, kept.batch.bytes.length), 0);
          for (const step of steps) {
            if ('count' in step) {
              const added = filledBatch(next[step.tail], step.bytes, step.count);
              next[step.tail] += step.count;
              tails[step.tail].add(added);
              model.push({ tail: step.tail, batch: added });
              while (size() > budget) model.shift();
            } else if ('clear' in step) {
              tails[step.tail].clear();
              model = model.filter((kept) => kept.tail !== step.tail);
            } else {
              const kept = model.filter(({ tail }) => tail === step.tail).map((entry) => entry.batch);
              const found = tails[step.tail].read(step.from, step.until, step.maxBytes);
              const wanted = naiveRead(kept, step.from, step.until, step.maxBytes);
              expect(found?.map(summary)).toEqual(wanted?.map(summary));
            }
            expect(cache.bytes).toBe(size());
            expect(cache.bytes).toBeLessThanOrEqual(budget);
          }
        },
      ),
    );
  });

  it('stays right over many thousands of batches', () => {
    const cache = new TailCache(budgetFor(100, 1000));
    const tails = [new PartitionTail(cache), new PartitionTail(cache)];
    for (let offset = 0; offset < 20_000; offset++) for (const tail of tails) tail.add(batch(offset, 1, 10));
    for (const tail of tails) {
      expect(tail.read(19_949, 20_000, 1e6)).toBeUndefined();
      expect(tail.read(19_950, 20_000, 1e6)).toHaveLength(50);
    }
  });
});

describe('tails of which many go', () => {
  it('leave their room to others, however often they come', () => {
    const cache = new TailCache(budgetFor(3_000, 30_000));
    const kept = new PartitionTail(cache);
    let next = 0;
    for (let round = 0; round < 50; round++) {
      const brief = new PartitionTail(cache);
      for (let offset = 0; offset < 500; offset++) brief.add(batch(offset, 1, 10));
      for (let count = 0; count < 100; count++) kept.add(batch(next++, 1, 10));
      brief.dropUntil(250);
      expect(brief.read(250, 500, 1e6)).toHaveLength(250);
      brief.clear();
    }
    expect(cache.bytes).toBe(budgetFor(2_500, 25_000));
    expect(kept.read(next - 2_501, next, 1e6)).toBeUndefined();
    expect(kept.read(next - 2_500, next, 1e6)).toHaveLength(2_500);
  });

  it('go one by one beside a tail that stays', () => {
    const cache = new TailCache(64 * MiB);
    const kept = new PartitionTail(cache);
    const brief = Array.from({ length: 3_000 }, () => new PartitionTail(cache));
    for (let offset = 0; offset < 10_000; offset++) kept.add(batch(offset, 1, 10));
    for (const tail of brief) tail.add(batch(0, 1, 10));
    for (const [index, tail] of brief.entries()) {
      tail.clear();
      expect(cache.bytes).toBe(budgetFor(12_999 - index, 129_990 - 10 * index));
    }
    expect(kept.read(0, 10_000, 1e6)).toHaveLength(10_000);
  });
});

/** Comparing every byte would take long. */
function summary({ bytes, ...offsets }: StoredBatch) {
  return { ...offsets, length: bytes.length, first: bytes[0], last: bytes.at(-1) };
}

function naiveRead(
  batches: StoredBatch[],
  from: number,
  until: number,
  maxBytes: number,
): StoredBatch[] | undefined {
  const start = batches.findIndex((kept) => kept.baseOffset <= from && from <= kept.lastOffset);
  if (start < 0) return undefined;
  const found: StoredBatch[] = [];
  let bytes = 0;
  for (const kept of batches.slice(start)) {
    bytes += kept.bytes.length;
    if (kept.lastOffset >= until || (bytes > maxBytes && found.length > 0)) break;
    found.push(kept);
  }
  return found;
}
