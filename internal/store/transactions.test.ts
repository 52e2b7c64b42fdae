import { describe, expect, it } from 'vitest';
import { TransactionIndex } from './transactions.ts';

/** A batch of a transaction, as its header is read. */
function batch(producerId: number, baseOffset: number) {
  return { producerId, baseOffset, isTransactional: true, isControl: false };
}

describe('the transactions of a partition', () => {
  it('are open from their first record until their end', () => {
    const index = new TransactionIndex();
    expect(index.firstOpenOffset).toBeUndefined();
    index.apply({ producerId: 1, kind: 'records' }, 4);
    index.apply({ producerId: 2, kind: 'records' }, 6);
    index.apply({ producerId: 1, kind: 'records' }, 8);
    expect(index.firstOpenOffset).toBe(4);
    index.apply({ producerId: 1, kind: 'commit' }, 10);
    expect(index.firstOpenOffset).toBe(6);
    index.apply({ producerId: 2, kind: 'abort' }, 11);
    expect(index.firstOpenOffset).toBeUndefined();
    expect(index.stored().aborted).toEqual([
      { producerId: 2, firstOffset: 6, lastOffset: 11, lastStableOffset: 12 },
    ]);
  });

  it('do not count where they were aborted, each of a producer by itself', () => {
    const index = new TransactionIndex();
    index.apply({ producerId: 1, kind: 'records' }, 0);
    index.apply({ producerId: 1, kind: 'commit' }, 2);
    index.apply({ producerId: 1, kind: 'records' }, 3);
    index.apply({ producerId: 2, kind: 'records' }, 4);
    index.apply({ producerId: 1, kind: 'abort' }, 6);
    index.apply({ producerId: 2, kind: 'commit' }, 7);
    expect(index.isCommitted(batch(1, 0))).toBe(true);
    expect(index.isCommitted(batch(1, 3))).toBe(false);
    expect(index.isCommitted(batch(2, 4))).toBe(true);
    expect(index.isCommitted({ ...batch(1, 3), isTransactional: false })).toBe(true);
    expect(index.isCommitted({ ...batch(2, 7), isControl: true })).toBe(false);
  });

  it('are found by the offsets that they reach over', () => {
    const index = new TransactionIndex();
    index.apply({ producerId: 1, kind: 'records' }, 0);
    index.apply({ producerId: 2, kind: 'records' }, 2);
    index.apply({ producerId: 2, kind: 'abort' }, 3);
    index.apply({ producerId: 3, kind: 'records' }, 5);
    index.apply({ producerId: 3, kind: 'abort' }, 6);
    index.apply({ producerId: 1, kind: 'abort' }, 9);
    const between = (from: number, until: number) =>
      index.abortedBetween(from, until).map(({ producerId }) => producerId);
    expect(between(0, 10)).toEqual([2, 3, 1]);
    expect(between(0, 2)).toEqual([1]);
    expect(between(4, 6)).toEqual([3, 1]);
    expect(between(7, 8)).toEqual([1]);
    expect(between(10, Infinity)).toEqual([]);
  });

  it('are forgotten with the records that are deleted, and an end without records says nothing', () => {
    const index = new TransactionIndex();
    index.apply({ producerId: 7, kind: 'abort' }, 0);
    index.apply({ producerId: 1, kind: 'records' }, 1);
    index.apply({ producerId: 1, kind: 'abort' }, 3);
    index.apply({ producerId: 1, kind: 'records' }, 4);
    index.forgetBefore(3);
    expect(index.stored().aborted).toHaveLength(1);
    index.forgetBefore(4);
    expect(index.stored()).toEqual({ aborted: [], open: [{ producerId: 1, firstOffset: 4 }] });
  });
});
