import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rounds } from '../../../test/support/torture.ts';
import { type BatchOptions, buildBatch } from '../../batch/build.ts';
import type { Codec } from '../../batch/compression/compression.ts';
import { records } from '../../batch/read.ts';
import { checkBatch, parseBatchHeader, setBaseOffset } from '../../batch/record-batch.ts';
import type { StoredBatch } from '../../store/log-store.ts';
import { MemoryStore } from '../../store/memory/memory-store.ts';
import { CorruptBatchError, StoreUnavailableError } from '../../store/store-error.ts';
import { Compactor, type CompactorOptions } from './compaction.ts';
import { KEY_SLOT_BYTES } from './keys.ts';
import type { CompactionSettings } from './passes.ts';

const SETTINGS: CompactionSettings = {
  minCleanableDirtyRatio: 0,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Infinity,
  deleteRetentionMs: 1000,
};
const NOW_MS = 1_800_000_000_000;
const DAY_MS = 24 * 3_600_000;

/** A record by its key and its value; null is a tombstone. */
type Pair = [key: string | null, value: string | null];

/** A partition on a store in memory. */
class TestLog {
  readonly store = new MemoryStore();
  id = 0;
  firstOffset = 0;
  highWatermark = 0;
  droppedUntil = -1;
  sizeBytes = 0;

  static async open(): Promise<TestLog> {
    const log = new TestLog();
    await log.store.open();
    const topic = { topicId: new Uint8Array(16), configs: {}, partitionCount: 1, createdAtMs: 0 };
    log.id = (await log.store.createTopic({ name: 't', ...topic })).partitions[0].id;
    return log;
  }

  readableEnd(): number {
    return this.highWatermark;
  }

  dropCached(untilOffset: number): void {
    this.droppedUntil = untilOffset;
  }

  noteGone(bytes: number): void {
    this.sizeBytes -= bytes;
  }

  async append(
    pairs: readonly Pair[],
    { timestamp = NOW_MS, ...options }: BatchOptions & { timestamp?: number } = {},
  ): Promise<void> {
    const bytes = buildBatch(
      pairs.map(([key, value], index) => ({
        timestamp: timestamp + index,
        key: bytesOf(key),
        value: bytesOf(value),
      })),
      options,
    );
    const baseOffset = this.highWatermark;
    setBaseOffset(bytes, 0, baseOffset, 7);
    const lastOffset = baseOffset + pairs.length - 1;
    const maxTimestamp = timestamp + pairs.length - 1;
    await this.store.append(this.id, { baseOffset, lastOffset, count: pairs.length, maxTimestamp, bytes });
    this.highWatermark = lastOffset + 1;
    this.sizeBytes += bytes.length;
  }

  compactor(options: Partial<CompactorOptions> = {}): Compactor {
    return new Compactor({ store: this.store, ...options });
  }

  batches(fromOffset = 0): Promise<StoredBatch[]> {
    return this.store.read(this.id, fromOffset, 1e9);
  }

  /** Every record that is there, as offset, key and value. */
  async contents(fromOffset = 0): Promise<[number, string | null, string | null][]> {
    const found: [number, string | null, string | null][] = [];
    for (const { bytes } of await this.batches(fromOffset)) {
      for (const { offset, key, value } of records(bytes, parseBatchHeader(bytes, 0), 1e6)) {
        if (offset >= fromOffset) found.push([offset, textOf(key), textOf(value)]);
      }
    }
    return found;
  }
}

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text);
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString();
}

describe('compaction', () => {
  it('keeps the last record of each key in its place, and leaves the last batch alone', async () => {
    const log = await TestLog.open();
    await log.append([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]);
    await log.append([['b', '4']]);
    await log.append([['c', '5']]);
    await log.append([
      ['c', '6'],
      ['d', '7'],
      ['c', '8'],
    ]);
    const result = await log.compactor().compact(log, SETTINGS, NOW_MS);
    expect(result).toMatchObject({ outcome: 'done', passes: 1, unreadableBatches: 0 });
    expect(await log.contents()).toEqual([
      [2, 'a', '3'],
      [3, 'b', '4'],
      [5, 'c', '6'],
      [6, 'd', '7'],
      [7, 'c', '8'],
    ]);
    expect(log.droppedUntil).toBe(5);
    const [first] = await log.batches();
    expect([first.baseOffset, first.lastOffset, first.count]).toEqual([0, 2, 1]);
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore);
  });

  it('goes on where it was, with another compactor', async () => {
    const log = await TestLog.open();
    for (const value of ['1', '2', '3']) await log.append([['a', value]]);
    expect(await log.compactor().compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'done' });
    expect(await log.compactor().compact(log, SETTINGS, NOW_MS)).toMatchObject({
      outcome: 'idle',
      passes: 0,
    });
    await log.append([['b', '4']]);
    expect(await log.compactor().compact(log, SETTINGS, NOW_MS)).toMatchObject({
      outcome: 'done',
      passes: 1,
    });
    expect(await log.contents()).toEqual([
      [2, 'a', '3'],
      [3, 'b', '4'],
    ]);
  });

  it('takes several passes where the keys do not fit', async () => {
    const log = await TestLog.open();
    const pairs = Array.from({ length: 200 }, (_, index): Pair => [`key ${index % 50}`, String(index)]);
    for (let at = 0; at < pairs.length; at += 7) await log.append(pairs.slice(at, at + 7));
    await log.append([['end', 'end']]);
    const compactor = log.compactor({ keysBytes: 16 * KEY_SLOT_BYTES, readBytes: 200 });
    const { passes } = await compactor.compact(log, SETTINGS, NOW_MS);
    expect(passes).toBeGreaterThan(3);
    const left = pairs.map(([key, value], offset) => [offset, key, value]).slice(150);
    expect(await log.contents()).toEqual([...left, [200, 'end', 'end']]);
  });

  it('changes much at once where a store writes much for each change', async () => {
    const log = await TestLog.open();
    for (let index = 0; index < 100; index++) {
      await log.append([[index % 2 === 0 ? 'same' : String(index), 'value']]);
    }
    const size = (await log.batches())[0].bytes.length;
    const changes: number[] = [];
    const replace = log.store.replace.bind(log.store);
    log.store.replace = (...args) => {
      changes.push(args[3].length);
      return replace(...args);
    };
    const compactor = log.compactor({ readBytes: 10 * size, gatherBytes: 20 * size });
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'done' });
    expect(changes.length).toBeGreaterThan(1);
    expect(changes.length).toBeLessThan(5);
    expect(Math.max(...changes)).toBeLessThan(22);
    const left = (await log.contents()).map(([offset]) => offset);
    expect(left).toEqual([...Array.from({ length: 49 }, (_, index) => 2 * index + 1), 98, 99]);
  });

  it('removes records without a key', async () => {
    const log = await TestLog.open();
    await log.append([
      [null, '1'],
      ['', '2'],
      [null, '3'],
    ]);
    await log.append([[null, '4']]);
    await log.append([[null, '5']]);
    await log.compactor().compact(log, SETTINGS, NOW_MS);
    expect(await log.contents()).toEqual([
      [1, '', '2'],
      [4, null, '5'],
    ]);
  });

  it('waits until it is worth it', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    const settings = { ...SETTINGS, minCleanableDirtyRatio: 0.5 };
    const all = Array.from({ length: 20 }, (_, index): Pair => [String(index), 'value']);
    for (const pair of all) await log.append([pair]);
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'done' });
    for (const pair of all.slice(0, 10)) await log.append([pair]);
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'idle' });
    for (const pair of all.slice(0, 12)) await log.append([pair]);
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'done' });
    expect(await log.contents()).toHaveLength(20);
  });

  it('is in a hurry where records wait for too long', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    const settings = { ...SETTINGS, minCleanableDirtyRatio: 1, maxCompactionLagMs: 10_000 };
    for (const value of ['1', '2', '3']) await log.append([['a', value]]);
    expect(await compactor.compact(log, settings, NOW_MS + 9_000)).toMatchObject({ outcome: 'idle' });
    expect(await compactor.compact(log, settings, NOW_MS + 11_000)).toMatchObject({ outcome: 'done' });
    expect(await log.contents()).toHaveLength(1);
  });

  it('leaves what is too new alone', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    const settings = { ...SETTINGS, minCompactionLagMs: 60_000 };
    await log.append([['a', '1']], { timestamp: NOW_MS });
    await log.append([['a', '2']], { timestamp: NOW_MS });
    await log.append([['a', '3']], { timestamp: NOW_MS + 5_000 });
    await log.append([['a', '4']], { timestamp: NOW_MS + 5_000 });
    expect(await compactor.compact(log, settings, NOW_MS + 59_000)).toMatchObject({ outcome: 'idle' });
    expect(await log.contents()).toHaveLength(4);
    expect(await compactor.compact(log, settings, NOW_MS + 61_000)).toMatchObject({ outcome: 'done' });
    expect((await log.contents()).map(([offset]) => offset)).toEqual([1, 2, 3]);
    expect(await compactor.compact(log, settings, NOW_MS + 66_000)).toMatchObject({ outcome: 'done' });
    expect((await log.contents()).map(([offset]) => offset)).toEqual([3]);
  });

  it('follows a change of the settings at once', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    for (const value of ['1', '2', '3']) await log.append([['a', value]]);
    expect(await compactor.compact(log, { ...SETTINGS, minCleanableDirtyRatio: 1 }, NOW_MS)).toMatchObject({
      outcome: 'idle',
    });
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'done' });
  });

  it('counts from the first offset where retention took some', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    const settings = { ...SETTINGS, minCleanableDirtyRatio: 0.5 };
    for (let index = 0; index < 101; index++) await log.append([[String(index), 'value']]);
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'done' });
    await log.store.deleteUntil(log.id, 90);
    log.firstOffset = 90;
    for (let index = 0; index < 20; index++) await log.append([['100', 'value']]);
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'done' });
    expect(await log.contents()).toHaveLength(11);
    await log.store.deleteUntil(log.id, log.highWatermark);
    log.firstOffset = log.highWatermark;
    expect(await compactor.compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'idle' });
  });
});

describe('a tombstone', () => {
  it('goes some time after it became the only one of its key, also where nothing else happens', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    await log.append([
      ['a', '1'],
      ['b', '2'],
      ['a', null],
    ]);
    await log.append([['end', 'end']]);
    await compactor.compact(log, SETTINGS, NOW_MS);
    const kept = [
      [1, 'b', '2'],
      [2, 'a', null],
      [3, 'end', 'end'],
    ];
    expect(await log.contents()).toEqual(kept);
    const header = parseBatchHeader((await log.batches())[0].bytes, 0);
    expect([header.deleteHorizonMs, header.maxTimestamp]).toEqual([NOW_MS + 1000, NOW_MS + 2]);
    expect(await compactor.compact(log, SETTINGS, NOW_MS + 999)).toMatchObject({ outcome: 'idle' });
    expect(await log.contents()).toEqual(kept);
    // A new compactor knows the time as well.
    expect(await log.compactor().compact(log, SETTINGS, NOW_MS + 1000)).toMatchObject({ outcome: 'done' });
    expect(await log.contents()).toEqual([kept[0], kept[2]]);
    expect(await compactor.compact(log, SETTINGS, NOW_MS + DAY_MS)).toMatchObject({ outcome: 'idle' });
  });

  it('stays where it is to stay for ever', async () => {
    const log = await TestLog.open();
    await log.append([['a', null]]);
    await log.append([['b', '']]);
    const settings = { ...SETTINGS, deleteRetentionMs: 2 ** 63 };
    await log.compactor().compact(log, settings, NOW_MS);
    await log.append([['c', '']]);
    await log.compactor().compact(log, settings, NOW_MS + 1000 * DAY_MS);
    expect(await log.contents()).toHaveLength(3);
  });
});

describe('the batches of idempotent producers', () => {
  const from = (producerId: number, baseSequence: number) => ({ producerId, producerEpoch: 3, baseSequence });

  it('leave the header with the last sequence, as long as the producer may go on', async () => {
    const log = await TestLog.open();
    const compactor = log.compactor();
    for (let sequence = 0; sequence < 4; sequence++) await log.append([['a', 'x']], from(1, sequence));
    for (let sequence = 0; sequence < 4; sequence++) await log.append([['b', 'x']], from(2, sequence));
    await log.append([['c', 'x']]);
    // Each producer has a batch with a record now, and nothing before it.
    await compactor.compact(log, SETTINGS, NOW_MS);
    expect((await log.batches()).map(({ baseOffset, count }) => [baseOffset, count])).toEqual([
      [3, 1],
      [7, 1],
      [8, 1],
    ]);
    await log.append([
      ['a', 'y'],
      ['b', 'y'],
    ]);
    await log.append([['c', 'y']]);
    await compactor.compact(log, SETTINGS, NOW_MS);
    const batches = await log.batches();
    expect(batches.map(({ baseOffset, lastOffset, count }) => [baseOffset, lastOffset, count])).toEqual([
      [3, 3, 0],
      [7, 7, 0],
      [9, 10, 2],
      [11, 11, 1],
    ]);
    const header = parseBatchHeader(batches[0].bytes, 0);
    checkBatch(batches[0].bytes, header);
    expect(header).toMatchObject({
      producerId: 1,
      producerEpoch: 3,
      baseSequence: 3,
      recordCount: 0,
      lastOffsetDelta: 0,
      partitionLeaderEpoch: 7,
      maxTimestamp: NOW_MS,
    });
    // The next batch of one producer takes its place, the other one is quiet for too long.
    await log.append([['d', 'z']], { ...from(2, 4), timestamp: NOW_MS + DAY_MS });
    await log.append([['c', 'z']], { timestamp: NOW_MS + DAY_MS });
    await compactor.compact(log, SETTINGS, NOW_MS + DAY_MS);
    expect((await log.batches()).map(({ baseOffset, count }) => [baseOffset, count])).toEqual([
      [9, 2],
      [12, 1],
      [13, 1],
    ]);
  });

  it('leave only the last header where several lose all records at once', async () => {
    for (const readBytes of [1, 1e6]) {
      const log = await TestLog.open();
      const compactor = log.compactor({ readBytes });
      const keys = ['a', 'b', 'c', 'd'];
      for (const [sequence, key] of keys.entries()) await log.append([[key, 'x']], from(1, sequence));
      await log.append([['end', '']]);
      await compactor.compact(log, SETTINGS, NOW_MS);
      await log.append(keys.map((key): Pair => [key, 'y']));
      await log.append([['end', '']]);
      await compactor.compact(log, SETTINGS, NOW_MS);
      expect((await log.batches()).map(({ baseOffset, count }) => [baseOffset, count])).toEqual([
        [3, 0],
        [5, 4],
        [9, 1],
      ]);
      const clean = (await log.batches()).slice(0, -1).reduce((sum, { bytes }) => sum + bytes.length, 0);
      await log.append([['end', '']]);
      const { bytesBefore } = await compactor.compact(log, SETTINGS, NOW_MS);
      expect(bytesBefore).toBeGreaterThan(clean);
    }
  });
});

describe('compaction leaves alone', () => {
  it('what belongs to a transaction, for its mark decides whether it counts', async () => {
    const log = await TestLog.open();
    await log.append([['a', '1']]);
    await log.append([['a', '2']], {
      isTransactional: true,
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
    });
    await log.append([['\0\0\0\0', '\0\0\0\0\0\0']], {
      isTransactional: true,
      isControl: true,
      producerId: 1,
    });
    await log.append([['b', '3']]);
    await log.append([['b', '4']]);
    await log.append([['end', '5']]);
    await log.compactor().compact(log, SETTINGS, NOW_MS);
    expect((await log.contents()).map(([offset]) => offset)).toEqual([0, 1, 2, 4, 5]);
  });

  it('batches that cannot be read', async () => {
    const log = await TestLog.open();
    await log.append([['a', '1']]);
    await log.append([['a', '2']]);
    const broken = Buffer.from(buildBatch([{ timestamp: 0, key: Buffer.from('a'), value: null }]));
    broken.writeInt32BE(1_000_000, 57);
    const span = { baseOffset: 2, lastOffset: 2, count: 1, maxTimestamp: 0 };
    await log.store.append(log.id, { ...span, bytes: broken });
    log.highWatermark = 3;
    await log.append([['a', '3']]);
    await log.append([['end', '']]);
    const result = await log.compactor().compact(log, SETTINGS, NOW_MS);
    expect(result).toMatchObject({ outcome: 'done', unreadableBatches: 1 });
    const batches = await log.batches();
    expect(batches.map(({ baseOffset }) => baseOffset)).toEqual([2, 3, 4]);
    expect(Buffer.compare(batches[0].bytes, broken)).toBe(0);
  });

  it('batches that the store finds damaged, and their neighbours are compacted', async () => {
    const log = await TestLog.open();
    for (const value of ['1', '2', '3', '4', '5', '6']) await log.append([['a', value]]);
    const read = log.store.read.bind(log.store);
    log.store.read = async (partition, fromOffset, maxBytes) => {
      if (fromOffset === 2) throw new CorruptBatchError(partition, 2, 2);
      const batches = await read(partition, fromOffset, maxBytes);
      const damaged = batches.findIndex(({ baseOffset }) => baseOffset === 2);
      return damaged < 0 ? batches : batches.slice(0, damaged);
    };
    const settings = { ...SETTINGS, maxCompactionLagMs: 1000 };
    expect(await log.compactor().compact(log, settings, NOW_MS)).toMatchObject({ outcome: 'done' });
    log.store.read = read;
    expect((await log.contents()).map(([offset]) => offset)).toEqual([2, 5]);
  });
});

describe('compaction ends', () => {
  it('between two steps when the broker stops, and the rest is done the next time', async () => {
    const log = await TestLog.open();
    for (let index = 0; index < 50; index++) await log.append([['a', String(index)]]);
    const compactor = log.compactor({ readBytes: 200 });
    const compacting = compactor.compact(log, SETTINGS, NOW_MS);
    const waiting = compactor.compact(log, SETTINGS, NOW_MS);
    const replace = log.store.replace.bind(log.store);
    const stopping = Promise.withResolvers<void>();
    log.store.replace = async (...args) => {
      stopping.resolve(compactor.stop());
      return replace(...args);
    };
    await stopping.promise;
    expect(await compacting).toMatchObject({ outcome: 'stopped' });
    expect(await waiting).toMatchObject({ outcome: 'stopped' });
    expect((await log.contents()).length).toBeGreaterThan(1);
    log.store.replace = replace;
    expect(await log.compactor().compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'done' });
    expect((await log.contents()).map(([offset]) => offset)).toEqual([49]);
  });

  it('where its topic is deleted meanwhile', async () => {
    const log = await TestLog.open();
    for (let index = 0; index < 50; index++) await log.append([['a', String(index)]]);
    const replace = log.store.replace.bind(log.store);
    log.store.replace = async (...args) => {
      await log.store.deleteTopic('t');
      return replace(...args);
    };
    const compactor = log.compactor({ readBytes: 200 });
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'stopped' });
    await compactor.forget(log.id);
    expect(await log.store.getMeta(`compaction/${log.id}`)).toBeUndefined();
  });

  it('with an error where the store fails, and goes on when it works again', async () => {
    const log = await TestLog.open();
    for (let index = 0; index < 50; index++) await log.append([['a', String(index)]]);
    const replace = log.store.replace.bind(log.store);
    log.store.replace = async () => {
      throw new StoreUnavailableError('disk-full', 'the disk is full');
    };
    const compactor = log.compactor();
    await expect(compactor.compact(log, SETTINGS, NOW_MS)).rejects.toThrow('the disk is full');
    log.store.replace = replace;
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'done' });
  });

  it('for good with a store that replaces nothing', async () => {
    const log = await TestLog.open();
    for (let index = 0; index < 3; index++) await log.append([['a', String(index)]]);
    const { StoreError } = await import('../../store/store-error.ts');
    log.store.replace = async () => {
      throw new StoreError('unsupported', 'not here');
    };
    const compactor = log.compactor();
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'unsupported' });
    expect(await compactor.compact(log, SETTINGS, NOW_MS)).toMatchObject({ outcome: 'idle' });
  });
});

describe('a history of keyed records, compacted at any moments', () => {
  const pair = fc.tuple(
    fc.oneof(
      fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      fc.integer({ max: 30 }).map((n) => `a longer key ${n}`),
    ),
    fc.option(fc.string({ maxLength: 20 }), { freq: 3 }),
  );
  const append = fc.record({
    pairs: fc.array(pair, { minLength: 1, maxLength: 8 }),
    compression: fc.constantFrom<Codec>('none', 'none', 'gzip', 'snappy', 'lz4', 'zstd'),
    producerId: fc.constantFrom(-1, 1, 2),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: append },
    {
      weight: 2,
      arbitrary: fc.record({
        passMs: fc.constantFrom(0, 500, 1500, DAY_MS),
        slots: fc.constantFrom(2, 4, 8, 1024),
        readBytes: fc.constantFrom(1, 300, 1e6),
        gatherBytes: fc.constantFrom(0, 0, 300, 1e6),
        lagMs: fc.constantFrom(0, 0, 600),
      }),
    },
  );

  it('gives the same last values to every reader, and offsets that only grow', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const log = await TestLog.open();
        const history: { pair: Pair; atMs: number }[] = [];
        const sequences = new Map<number, number>();
        let nowMs = NOW_MS;
        /** Tombstones younger than this must be there. */
        let passedMs = 0;
        for (const made of steps) {
          if ('pairs' in made) {
            const { pairs, compression, producerId } = made;
            const baseSequence = sequences.get(producerId) ?? 0;
            const producer = producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence };
            sequences.set(producerId, baseSequence + pairs.length);
            await log.append(pairs as Pair[], { compression, timestamp: nowMs, ...producer });
            for (const given of pairs) history.push({ pair: given as Pair, atMs: nowMs });
            continue;
          }
          nowMs += made.passMs;
          passedMs += made.passMs;
          const settings = { ...SETTINGS, minCompactionLagMs: made.lagMs };
          const { slots, readBytes, gatherBytes } = made;
          await log
            .compactor({ keysBytes: slots * KEY_SLOT_BYTES, readBytes, gatherBytes })
            .compact(log, settings, nowMs);
          await check(log, history, passedMs === 0);
        }
        await check(log, history, passedMs === 0);
        for (const [producerId, next] of sequences) {
          if (producerId >= 0 && passedMs < DAY_MS)
            expect(await lastSequence(log, producerId)).toBe(next - 1);
        }
      }),
      { numRuns: rounds(150) },
    );
  });

  /** A reader that knows what came before an offset and reads from there on ends with what the history says. */
  async function check(log: TestLog, history: { pair: Pair }[], hasTombstones: boolean): Promise<void> {
    const left = await log.contents();
    const offsets = left.map(([offset]) => offset);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    for (const [offset, key, value] of left) expect([key, value]).toEqual(history[offset].pair);
    const wanted = stateOf(history.map(({ pair: given }) => given));
    for (const from of [0, Math.floor(history.length / 3), Math.floor(history.length / 2)]) {
      const before = history.slice(0, from).map(({ pair: given }) => given);
      const read = (await log.contents(from)).map(([, key, value]): Pair => [key, value]);
      // Without its tombstone a key that was deleted is not heard of; who began at 0 never knew it.
      if (from === 0 || hasTombstones) expect(stateOf([...before, ...read])).toEqual(wanted);
    }
    let next = 0;
    for (const { baseOffset, lastOffset, maxTimestamp, count, bytes } of await log.batches()) {
      const header = parseBatchHeader(bytes, 0);
      checkBatch(bytes, header);
      expect(baseOffset).toBeGreaterThanOrEqual(next);
      expect([header.baseOffset, header.lastOffset, header.recordCount]).toEqual([
        baseOffset,
        lastOffset,
        count,
      ]);
      expect(header.maxTimestamp).toBe(maxTimestamp);
      if (count > 0) {
        const times = [...records(bytes, header, 1e6)].map(({ timestamp }) => timestamp);
        expect(Math.max(...times)).toBe(maxTimestamp);
      }
      next = lastOffset + 1;
    }
    expect(next).toBe(log.highWatermark);
  }

  function stateOf(pairs: readonly Pair[]): Map<string, string> {
    const state = new Map<string, string>();
    for (const [key, value] of pairs) {
      if (value === null) state.delete(key!);
      else state.set(key!, value);
    }
    return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async function lastSequence(log: TestLog, producerId: number): Promise<number> {
    let last = -1;
    for (const { bytes } of await log.batches()) {
      const header = parseBatchHeader(bytes, 0);
      if (header.producerId === producerId) last = header.baseSequence + header.lastOffsetDelta;
    }
    return last;
  }
});
