import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOLDEN_COMPACTIONS } from '../../test/golden/rebuilt-batches.ts';
import { buildBatch, type NewRecord } from './build.ts';
import { CODECS } from './compression/compression.ts';
import { records } from './read.ts';
import { compactionFacts, isUnreadable, type KeepRules, rebuildBatch, visitKeys } from './rebuild.ts';
import {
  BatchAttribute,
  type BatchHeader,
  checkBatch,
  parseBatchHeader,
  sealBatch,
  setBaseOffset,
  setLogAppendTime,
} from './record-batch.ts';

const MAX_BYTES = 1 << 20;
const NOW_MS = 1_800_000_000_000;

function rules(latest: readonly number[], more: Partial<KeepRules> = {}): KeepRules {
  return {
    isLatest: (offset) => latest.includes(offset),
    untilOffset: Infinity,
    keepsHeader: false,
    nowMs: NOW_MS,
    deleteRetentionMs: 1000,
    ...more,
  };
}

/** As plain bytes: a Buffer is not equal to them. */
function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function record(key: string | null, value: string | null, timestamp = NOW_MS - 5000): NewRecord {
  const headers = [{ key: 'h', value: Buffer.from('1') }];
  return {
    timestamp,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers,
  };
}

function placed(bytes: Uint8Array): Uint8Array {
  setBaseOffset(bytes, 0, 100, 9);
  return bytes;
}

/** A batch that was rebuilt, whole and in order. */
function rebuilt(bytes: Uint8Array, given: KeepRules) {
  const result = rebuildBatch(bytes, given, MAX_BYTES);
  if (result.kind !== 'rebuilt') throw new Error(`it is ${result.kind}`);
  const header = parseBatchHeader(result.bytes, 0);
  checkBatch(result.bytes, header);
  expect(header.end).toBe(result.bytes.length);
  expect([header.recordCount, header.maxTimestamp]).toEqual([result.count, result.maxTimestamp]);
  return { ...result, header, records: [...records(result.bytes, header, MAX_BYTES)] };
}

describe.each(CODECS)('a rebuilt batch, compression %s', (compression) => {
  const options = { compression, producerId: 5, producerEpoch: 2, baseSequence: 77 };
  const batch = placed(
    buildBatch(
      [record('a', '1', NOW_MS), record('b', '2', NOW_MS - 9), record('c', null), record('d', 'four', 5)],
      options,
    ),
  );

  it('has what stays, with its offsets, and the header of before', () => {
    const { header, records: left, deleteHorizonMs } = rebuilt(batch, rules([101, 103]));
    expect(left.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [101, NOW_MS - 9],
      [103, 5],
    ]);
    expect({
      ...left[1],
      key: new Uint8Array(left[1].key!),
      value: new Uint8Array(left[1].value!),
    }).toMatchObject({
      key: bytesOf('d'),
      value: bytesOf('four'),
      headers: [{ key: 'h' }],
    });
    expect(deleteHorizonMs).toBeUndefined();
    expect(header).toMatchObject({
      baseOffset: 100,
      lastOffset: 103,
      partitionLeaderEpoch: 9,
      producerId: 5,
      producerEpoch: 2,
      baseSequence: 77,
      codec: compression,
      baseTimestamp: NOW_MS,
      maxTimestamp: NOW_MS - 9,
      recordCount: 2,
    });
  });

  it('notes when its tombstones may go, and they go then', () => {
    const first = rebuilt(batch, rules([100, 102, 103]));
    expect(first.deleteHorizonMs).toBe(NOW_MS + 1000);
    expect(first.header.deleteHorizonMs).toBe(NOW_MS + 1000);
    expect(first.header.attributes & BatchAttribute.deleteHorizon).not.toBe(0);
    expect(first.records.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [100, NOW_MS],
      [102, NOW_MS - 5000],
      [103, 5],
    ]);
    const all = rules([100, 101, 102, 103], { nowMs: NOW_MS + 999 });
    expect(rebuildBatch(first.bytes, all, MAX_BYTES)).toEqual({
      kind: 'same',
      count: 3,
      deleteHorizonMs: NOW_MS + 1000,
    });
    const later = rebuilt(first.bytes, { ...all, nowMs: NOW_MS + 1000 });
    expect(later.records.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [100, NOW_MS],
      [103, 5],
    ]);
    expect(later.deleteHorizonMs).toBeUndefined();
  });

  it('is the same where everything stays', () => {
    expect(rebuildBatch(batch, rules([100, 101, 103]), MAX_BYTES).kind).toBe('rebuilt');
    const without = buildBatch([record('a', '1'), record('b', '2')], { compression });
    expect(rebuildBatch(without, rules([0, 1]), MAX_BYTES)).toEqual({
      kind: 'same',
      count: 2,
      deleteHorizonMs: undefined,
    });
  });

  it('is gone where nothing stays, or a header alone', () => {
    expect(rebuildBatch(batch, rules([]), MAX_BYTES)).toEqual({ kind: 'gone' });
    const empty = rebuilt(batch, rules([], { keepsHeader: true }));
    expect(empty.bytes).toHaveLength(61);
    expect(empty.header).toMatchObject({
      baseOffset: 100,
      lastOffset: 103,
      partitionLeaderEpoch: 9,
      producerId: 5,
      producerEpoch: 2,
      baseSequence: 77,
      attributes: 0,
      baseTimestamp: -1,
      maxTimestamp: NOW_MS,
      recordCount: 0,
    });
    const same = { kind: 'same', count: 0, deleteHorizonMs: undefined };
    expect(rebuildBatch(empty.bytes, rules([], { keepsHeader: true }), MAX_BYTES)).toEqual(same);
    expect(rebuildBatch(empty.bytes, rules([]), MAX_BYTES)).toEqual({ kind: 'gone' });
  });

  it('has the time of the broker where that counts', () => {
    const bytes = batch.slice();
    setLogAppendTime(bytes, 0, NOW_MS + 7);
    const { header, records: left } = rebuilt(bytes, rules([101, 102]));
    expect(header).toMatchObject({ timestampType: 'log-append', maxTimestamp: NOW_MS + 7 });
    expect(left.map(({ timestamp }) => timestamp)).toEqual([NOW_MS + 7, NOW_MS + 7]);
  });

  it('tells its keys until that is enough', () => {
    const seen: [number, string][] = [];
    visitKeys(batch, MAX_BYTES, (offset, bytes, start, end) => {
      seen.push([offset, Buffer.from(bytes.subarray(start, end)).toString()]);
      return offset < 102;
    });
    expect(seen).toEqual([
      [100, 'a'],
      [101, 'b'],
      [102, 'c'],
    ]);
  });
});

describe('a record', () => {
  it('without a key goes, unless it lies behind what is compacted', () => {
    const batch = placed(
      buildBatch([record(null, '1'), record('a', '2'), record(null, '3'), record('a', '4')]),
    );
    const { records: left } = rebuilt(batch, rules([], { untilOffset: 102 }));
    expect(left.map(({ offset }) => offset)).toEqual([102, 103]);
    const keys: number[] = [];
    visitKeys(batch, MAX_BYTES, (offset) => keys.push(offset) > 0);
    expect(keys).toEqual([101, 103]);
  });

  it('with a time that is too far from now keeps its tombstone without a time to go', () => {
    for (const timestamp of [2 ** 53 - 1000, 1000 - 2 ** 53]) {
      const batch = buildBatch([record('a', null, timestamp), record('b', '1', timestamp)]);
      expect(rebuildBatch(batch, rules([0, 1]), MAX_BYTES)).toEqual({
        kind: 'same',
        count: 2,
        deleteHorizonMs: undefined,
      });
      expect(rebuilt(batch, rules([0])).records[0].timestamp).toBe(timestamp);
    }
  });
});

describe('facts for compaction', () => {
  it('say whose a batch is and whether it is part of a transaction', () => {
    const one = [record('a', '1')];
    expect(compactionFacts(buildBatch(one))).toEqual({ producerId: -1, isFixed: false });
    expect(compactionFacts(buildBatch(one, { producerId: 4 }))).toEqual({ producerId: 4, isFixed: false });
    expect(compactionFacts(buildBatch(one, { isTransactional: true }))).toMatchObject({ isFixed: true });
    expect(compactionFacts(buildBatch(one, { isControl: true }))).toMatchObject({ isFixed: true });
  });
});

describe('any batch', () => {
  it('comes through with the records that stay, each as it was', () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 200 }), { freq: 4 });
    const given = fc.record({
      timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 41 }), fc.constant(NOW_MS)),
      key: fc.uint8Array({ maxLength: 10 }),
      value: bytes,
      headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: bytes }), { maxLength: 2 }),
      stays: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(given, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(...CODECS),
        fc.nat({ max: 2 ** 40 }),
        (all, compression, deleteRetentionMs) => {
          const batch = placed(buildBatch(all, { compression }));
          const before = [...records(batch, parseBatchHeader(batch, 0), MAX_BYTES)];
          const latest = before.filter((_, index) => all[index].stays);
          const offsets = latest.map(({ offset }) => offset);
          const result = rebuildBatch(batch, rules(offsets, { deleteRetentionMs }), MAX_BYTES);
          if (result.kind !== 'rebuilt') {
            expect(latest).toEqual(result.kind === 'gone' ? [] : before);
            return;
          }
          expect(rebuilt(batch, rules(offsets, { deleteRetentionMs })).records).toEqual(latest);
          const hasTombstone = latest.some(({ value }) => value === null);
          expect(result.deleteHorizonMs).toBe(hasTombstone ? NOW_MS + deleteRetentionMs : undefined);
        },
      ),
    );
  });

  it('that is broken is said to be unreadable, and nothing worse', () => {
    const batch = placed(buildBatch([record('a', '1'), record('b', null), record('c', '3')]));
    fc.assert(
      fc.property(fc.nat({ max: batch.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const broken = batch.slice();
        broken[at] = byte;
        for (const look of [
          () => compactionFacts(broken),
          () => visitKeys(broken, MAX_BYTES, () => true),
          () => rebuildBatch(broken, rules([101], { keepsHeader: true }), MAX_BYTES),
        ]) {
          try {
            look();
          } catch (error) {
            expect(isUnreadable(error)).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(isUnreadable(new TypeError('a bug'))).toBe(false);
  });

  it('that expands to too much is unreadable', () => {
    const batch = buildBatch([record('a', 'x'.repeat(10_000))], { compression: 'gzip' });
    const header: BatchHeader = parseBatchHeader(batch, 0);
    sealBatch(batch, 0);
    expect(header.end).toBeLessThan(1000);
    expect(() => rebuildBatch(batch, rules([0]), 5000)).toThrow(/expands to more than 5000 bytes/);
  });
});

describe('what Kafka makes of a batch', () => {
  it.each(GOLDEN_COMPACTIONS)('is what comes of it here: $name', ({ from, keep, nowMs, to }) => {
    const result = rebuilt(fromHex(from), rules(keep, { nowMs, keepsHeader: true }));
    const wanted = fromHex(to);
    const header = parseBatchHeader(wanted, 0);
    expect(result.records).toEqual([...records(wanted, header, MAX_BYTES)]);
    expect(result.count).toBe(header.recordCount);
    // Kafka counts the times of records from other ones where they mean nothing, for those are the broker's.
    const isTold = header.timestampType === 'create' || header.deleteHorizonMs !== undefined;
    const { baseTimestamp, batchLength, crc, end, ...same } = header;
    expect(result.header).toMatchObject(isTold ? { ...same, baseTimestamp } : same);
    if (header.timestampType === 'create') expect(Buffer.from(result.bytes).toString('hex')).toBe(to);
  });

  function fromHex(hex: string): Uint8Array {
    return new Uint8Array(Buffer.from(hex, 'hex'));
  }
});
