import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { turn } from '../../test/support/logs.ts';
import { TryingStore } from '../../test/support/trying-store.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { PartitionLog } from './partition-log.ts';
import { BATCH_OVERHEAD_BYTES, TailCache } from './tail-cache.ts';

/** Bytes that say which batch they are, but for the offset and the epoch in them. */
function unplaced(count: number, size = 10, mark = 0, maxTimestamp = 0) {
  return { bytes: new Uint8Array(size).fill(mark), count, maxTimestamp };
}

async function opened({ cacheBytes = 1e6, store = new TryingStore() } = {}) {
  await store.open();
  const topic = await store.createTopic({
    name: 'a',
    topicId: new Uint8Array(16),
    configs: {},
    partitionCount: 1,
    createdAtMs: 0,
  });
  return { store, log: new PartitionLog(topic.partitions[0], { store, cache: new TailCache(cacheBytes) }) };
}

/** A byte of the length, which the log leaves as it came. */
const MARK_AT = 8;

/** The state of the only partition as the store has it. */
async function stored(store: TryingStore) {
  return (await store.open()).topics[0].partitions[0];
}

function spans(batches: StoredBatch[]): [number, number][] {
  return batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]);
}

describe('appending', () => {
  it('gives offsets in order, each once, and writes them into the batch before the store has it', async () => {
    const { store, log } = await opened();
    log.leaderEpoch = 7;
    const offsets = await Promise.all([3, 1, 5].map((count) => log.append(unplaced(count, 16))));
    expect(offsets).toEqual([0, 3, 4]);
    const batches = await store.read(log.id, 0, 1e6);
    expect(spans(batches)).toEqual([
      [0, 2],
      [3, 3],
      [4, 8],
    ]);
    expect(batches.map(({ bytes }) => [bytes[7], bytes[15]])).toEqual([
      [0, 7],
      [3, 7],
      [4, 7],
    ]);
    expect(log.highWatermark).toBe(9);
  });

  it('shows nothing before the store said that it lasts, then in the same turn, and tells readers once behind it', async () => {
    const { store, log } = await opened();
    const heard: number[] = [];
    const end = log.onAdvance(() => heard.push(log.highWatermark));
    store.hold();
    const appends = [log.append(unplaced(2, 10, 0, 5)), log.append(unplaced(1, 10, 0, 3))];
    await turn();
    expect([log.highWatermark, log.maxTimestamp, heard]).toEqual([0, -1, []]);
    expect(await log.read(0, 1e6)).toEqual([]);
    store.release();
    await Promise.all(appends);
    expect([log.highWatermark, log.maxTimestamp, heard], 'when the producers are answered').toEqual([
      3,
      5,
      [],
    ]);
    await turn();
    expect(heard).toEqual([3]);
    await log.append(unplaced(1));
    end();
    await turn();
    expect(heard, 'after the end').toEqual([3]);
  });

  it('counts its bytes, also while some go and others come', async () => {
    const { store, log } = await opened();
    const sizes = [40, 30, 20, 10];
    const work: Promise<unknown>[] = [];
    for (const size of [...sizes, ...sizes]) {
      work.push(log.append(unplaced(2, size)));
      if (size === 20) work.push(turn().then(() => log.deleteUntil(log.highWatermark - 3)));
    }
    await Promise.all(work);
    const { sizeBytes } = await stored(store);
    expect([log.sizeBytes, log.firstOffset > 0]).toEqual([sizeBytes, true]);
    log.noteGone(1);
    log.restore(await stored(store));
    expect(log.sizeBytes).toBe(sizeBytes);
  });

  it('a listener may end itself and others while it is called', async () => {
    const { log } = await opened();
    const heard: string[] = [];
    const endFirst = log.onAdvance(() => {
      heard.push('first');
      endFirst();
      endThird();
    });
    log.onAdvance(() => heard.push('second'));
    const endThird = log.onAdvance(() => heard.push('third'));
    for (let count = 0; count < 2; count++) {
      await log.append(unplaced(1));
      await turn();
    }
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  it('gives the offsets of a refused batch again, and never shows it', async () => {
    const { store, log } = await opened();
    await log.append(unplaced(2, 10, 1));
    const heard: number[] = [];
    log.onAdvance(() => heard.push(log.highWatermark));
    store.hold();
    const refused = [log.append(unplaced(3, 10, 2)), log.append(unplaced(4, 10, 2))];
    store.isFailing = true;
    store.release();
    for (const append of refused) await expect(append).rejects.toThrow('on fire');
    await expect(log.append(unplaced(1))).rejects.toThrow('on fire');
    expect([log.highWatermark, heard]).toEqual([2, []]);
    expect(spans(await log.read(0, 1e6))).toEqual([[0, 1]]);
    store.isFailing = false;
    expect(await log.append(unplaced(1, 10, 3))).toBe(2);
    const batches = await log.read(2, 1e6);
    expect(batches.map(({ bytes }) => bytes[MARK_AT])).toEqual([3]);
    await turn();
    expect(heard).toEqual([3]);
  });

  // While batches kept coming, each got an offset behind the refused one, was refused for that, and made the next be
  // refused: a log under load never wrote again. What comes while refused batches are on their way is refused at once.
  it('works again after a refused batch, although more keep coming', async () => {
    const { store, log } = await opened();
    const outcomes: string[] = [];
    const pending = new Set<Promise<void>>();
    const append = (size: number) => {
      const settled = log.append(unplaced(1, size)).then(
        (offset) => void outcomes.push(`ok ${offset}`),
        (error) => void outcomes.push(error.code),
      );
      pending.add(settled);
    };
    store.hold();
    append(0);
    for (let round = 0; round < 10; round++) {
      append(10);
      store.release();
      store.hold();
      append(10);
      await turn();
    }
    store.release();
    await Promise.all(pending);
    expect(outcomes[0]).toBe('invalid');
    const given = outcomes.filter((outcome) => outcome.startsWith('ok'));
    expect(given.length).toBeGreaterThan(5);
    expect(given).toEqual(given.map((_, index) => `ok ${index}`));
    expect(log.highWatermark).toBe(given.length);
  });

  it('goes on from what lasts when the store has recovered', async () => {
    const { store, log } = await opened();
    await log.append(unplaced(2));
    store.isFailing = true;
    await expect(log.append(unplaced(5))).rejects.toThrow('on fire');
    await store.recover();
    log.restore(await stored(store));
    expect(log.highWatermark).toBe(2);
    expect(await log.append(unplaced(1))).toBe(2);
    expect(spans(await log.read(0, 1e6))).toEqual([
      [0, 1],
      [2, 2],
    ]);
  });

  it('never gives an offset that was shown a second time, whatever is refused', async () => {
    const steps = fc.array(fc.constantFrom('append', 'append', 'fail', 'work', 'hold', 'release', 'turn'), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const { store, log } = await opened();
        const shown: number[] = [];
        const given: number[] = [];
        const pending: Promise<void>[] = [];
        let mark = 0;
        const marks = new Map<number, number>();
        for (const step of steps) {
          if (step === 'append') {
            const own = ++mark;
            const append = log.append(unplaced(1, 10, own % 256));
            pending.push(
              append.then(
                (offset) => {
                  given.push(offset);
                  marks.set(offset, own % 256);
                },
                () => {},
              ),
            );
          } else if (step === 'fail') store.isFailing = true;
          else if (step === 'work') store.isFailing = false;
          else if (step === 'hold') store.hold();
          else if (step === 'release') store.release();
          else await turn();
          for (const batch of await log.read(shown.length, 1e6)) {
            shown.push(batch.baseOffset);
          }
        }
        store.release();
        await Promise.all(pending);
        for (const batch of await log.read(shown.length, 1e6)) shown.push(batch.baseOffset);
        expect(given).toEqual(given.map((_, index) => index));
        expect(shown).toEqual(given);
        const batches = await store.read(log.id, 0, 1e6);
        expect(batches.map(({ bytes }) => bytes[MARK_AT])).toEqual(given.map((offset) => marks.get(offset)));
      }),
    );
  });
});

describe('reading', () => {
  it('is the same at every offset, whether memory or the store has it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 200 }),
        async (counts, cacheBytes, maxBytes) => {
          const { store, log } = await opened({ cacheBytes });
          for (const count of counts) await log.append(unplaced(count, 10 * count));
          for (let offset = 0; offset <= log.highWatermark; offset++) {
            expect(await log.read(offset, maxBytes)).toEqual(await store.read(log.id, offset, maxBytes));
          }
        },
      ),
    );
  });

  it('does not touch the store near the end', async () => {
    const { store, log } = await opened({ cacheBytes: 2 * BATCH_OVERHEAD_BYTES + 25 });
    for (let count = 0; count < 5; count++) await log.append(unplaced(1));
    expect(spans(await log.read(3, 1e6))).toEqual([
      [3, 3],
      [4, 4],
    ]);
    expect(store.reads).toBe(0);
    expect(await log.read(2, 1e6)).toHaveLength(3);
    expect(store.reads).toBe(1);
  });

  it('does not show what the store has written but not yet said so', async () => {
    const { store, log } = await opened({ cacheBytes: 1 });
    await log.append(unplaced(1));
    await store.append(log.id, {
      baseOffset: 1,
      lastOffset: 1,
      count: 1,
      maxTimestamp: 0,
      bytes: new Uint8Array(9),
    });
    expect(spans(await log.read(0, 1e6))).toEqual([[0, 0]]);
  });

  it('begins with the first offset where older ones are gone, from memory too', async () => {
    const { log } = await opened();
    for (let count = 0; count < 5; count++) await log.append(unplaced(1));
    await log.deleteUntil(3);
    expect(spans(await log.read(0, 1e6))).toEqual([
      [3, 3],
      [4, 4],
    ]);
    await log.deleteUntil(100);
    expect(log.firstOffset).toBe(5);
    expect(await log.read(0, 1e6)).toEqual([]);
    expect(await log.append(unplaced(1))).toBe(5);
    expect(spans(await log.read(0, 1e6))).toEqual([[5, 5]]);
  });

  it('deletes nothing that is not there', async () => {
    const { log } = await opened();
    await log.append(unplaced(2));
    await log.deleteUntil(0);
    await log.deleteUntil(-1);
    expect([log.firstOffset, (await log.read(0, 1e6)).length]).toEqual([0, 1]);
    await log.deleteUntil(1);
    await log.deleteUntil(0);
    expect(log.firstOffset).toBe(1);
  });
});

describe('the offset for a time', () => {
  it('is that of the first batch with such a record, and the end where there is none', async () => {
    const { log } = await opened();
    for (const timestamp of [100, 200, 150, 300]) await log.append(unplaced(2, 10, 0, timestamp));
    const found = await Promise.all([0, 100, 101, 200, 201, 300, 301].map((time) => log.offsetForTime(time)));
    expect(found).toEqual([0, 0, 2, 2, 6, 6, 8]);
    await log.deleteUntil(3);
    expect(await log.offsetForTime(0)).toBe(3);
  });

  // Retention asked for the end of a log with nothing but old records, a new one came meanwhile, and was deleted.
  it('does not reach over what is appended while the store looks', async () => {
    const { store, log } = await opened();
    await log.append(unplaced(2, 10, 0, 100));
    store.holdReads();
    const asked = log.offsetForTime(200);
    await turn();
    await log.append(unplaced(1, 10, 0, 300));
    store.releaseReads();
    expect(await asked).toBe(2);
  });
});
