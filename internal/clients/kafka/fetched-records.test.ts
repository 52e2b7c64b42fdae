import { describe, expect, it } from 'vitest';
import { buildBatch } from '../../batch/build.ts';
import { FetchedRecords } from './fetched-records.ts';

const ABORT_MARK = Buffer.from([0, 0, 0, 0]);
const COMMIT_MARK = Buffer.from([0, 0, 0, 1]);

function batch(baseOffset: number, values: string[], producerId = -1): Uint8Array {
  const records = values.map((value) => ({ timestamp: 0, key: null, value: Buffer.from(value) }));
  return buildBatch(records, { baseOffset, producerId, isTransactional: producerId !== -1 });
}

function mark(baseOffset: number, producerId: number, key: Buffer): Uint8Array {
  const records = [{ timestamp: 0, key, value: Buffer.from([0, 0, 0, 0, 0, 0]) }];
  return buildBatch(records, { baseOffset, producerId, isTransactional: true, isControl: true });
}

function read(
  batches: Uint8Array[],
  options: Partial<{ from: number; isolation: 0 | 1; aborted: object[] }>,
) {
  const { from = 0, isolation = 1, aborted = [] } = options;
  const fetched = { records: Buffer.concat(batches), abortedTransactions: aborted } as never;
  const records = new FetchedRecords(fetched, isolation, from);
  const values = [...records].map(([{ value }]) => Buffer.from(value!).toString());
  return { values, next: records.nextOffset };
}

describe('the records of an answer', () => {
  it('begin at the offset that was asked for, in the middle of a batch too', () => {
    expect(read([batch(5, ['a', 'b', 'c'])], { from: 6 })).toEqual({ values: ['b', 'c'], next: 8 });
    expect(read([batch(5, ['a']), batch(6, ['b'])], { from: 0 })).toEqual({ values: ['a', 'b'], next: 7 });
    expect(read([], { from: 3 })).toEqual({ values: [], next: 3 });
  });

  it('end before a batch that is cut off', () => {
    const [whole, cut] = [batch(0, ['a']), batch(1, ['b'])];
    for (const end of [1, 20, 61, cut.length - 1]) {
      expect(read([whole, cut.subarray(0, end)], {})).toEqual({ values: ['a'], next: 1 });
    }
  });

  it('are refused where a batch is damaged', () => {
    const damaged = batch(0, ['abc']);
    damaged[damaged.length - 2] ^= 1;
    expect(() => read([damaged], {})).toThrow('checksum');
  });

  it('leave out what aborted transactions wrote, and nothing else', () => {
    const batches = [
      batch(0, ['aborted'], 1),
      batch(1, ['committed'], 2),
      batch(2, ['plain']),
      mark(3, 1, ABORT_MARK),
      mark(4, 2, COMMIT_MARK),
      batch(5, ['later'], 1),
      mark(6, 1, COMMIT_MARK),
    ];
    const aborted = [{ producerId: 1, firstOffset: 0 }];
    expect(read(batches, { aborted })).toEqual({ values: ['committed', 'plain', 'later'], next: 7 });
    expect(read(batches, { aborted, isolation: 0 })).toEqual({
      values: ['aborted', 'committed', 'plain', 'later'],
      next: 7,
    });
  });
});
