import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { LogStore, NewBatch, StoredState } from '../../internal/store/log-store.ts';
import { rounds } from './torture.ts';

/** A kind of store whose behaviour is tested. */
export interface StoreKind {
  name: string;
  start(): { store: LogStore; reopen: (closed: LogStore) => LogStore };
  /** Gives a batch the bytes that the store can hold, not fewer. By default any will do. */
  form?: (batch: NewBatch) => NewBatch;
  /** Waits until a store that was opened can be written to. By default it can. */
  untilWritable?: (store: LogStore) => Promise<void>;
  /** Bytes of a batch that is large for it. Default: 9 MiB. */
  largeBytes?: number;
  /** Whether nodes share it: batches are never replaced, offsets never skipped, and it gives the epochs of leaders itself. */
  isShared?: boolean;
  /** How many sequences of random changes are tried. Default: 20. */
  runs?: number;
}

const opened: LogStore[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** What every store does. */
export function describeStore(kind: StoreKind): void {
  describe(`a store in ${kind.name}`, () => testStore(kind));
}

function testStore({
  start,
  form = (batch) => batch,
  untilWritable = async () => {},
  largeBytes = 9 * 1024 * 1024,
  isShared = false,
  runs = 20,
}: StoreKind): void {
  function batch(baseOffset: number, count?: number, bytes?: Uint8Array, maxTimestamp?: number): NewBatch {
    return form(plainBatch(baseOffset, count, bytes, maxTimestamp));
  }

  async function open() {
    const { store, reopen } = start();
    opened.push(store);
    const state = await store.open();
    await untilWritable(store);
    return {
      store,
      state,
      async restart() {
        await opened.at(-1)!.close();
        const next = reopen(opened.at(-1)!);
        opened.push(next);
        const stateAfter = await next.open();
        await untilWritable(next);
        return { store: next, state: stateAfter };
      },
    };
  }

  async function openWithPartition() {
    const { store, restart } = await open();
    const topic = await store.createTopic(newTopic('sensors'));
    return { store, restart, id: topic.partitions[0].id };
  }

  it('is empty at first', async () => {
    const { state, store } = await open();
    expect(state).toEqual({ topics: [], groups: new Map(), groupMembers: new Map() });
    expect(store.health()).toMatchObject({
      status: 'ready',
      problem: '',
      waitingChanges: 0,
      waitingBytes: 0,
    });
  });

  it('keeps topics, their ids, configs and partitions', async () => {
    const { store, restart } = await open();
    const b = await store.createTopic({ ...newTopic('b', 2), configs: { 'retention.ms': '5' } });
    expect(b.partitions.map(({ number }) => number)).toEqual([0, 1]);
    await store.createTopic(newTopic('a'));
    await store.alterTopic('b', { 'cleanup.policy': 'compact' });
    const [added] = await store.addPartitions('b', 3);
    expect(added).toMatchObject({ number: 2, firstOffset: 0, nextOffset: 0, maxTimestamp: -1, sizeBytes: 0 });
    if (!isShared) await store.setLeaderEpoch(added.id, 7);
    const { state } = await restart();
    expect(state.topics.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(state.topics[1]).toEqual({
      ...b,
      configs: { 'cleanup.policy': 'compact' },
      partitions: [...b.partitions, { ...added, leaderEpoch: isShared ? added.leaderEpoch : 7 }],
    });
  });

  it('refuses what cannot be, by a code', async () => {
    const { store, id } = await openWithPartition();
    const refused: [string, () => Promise<unknown>][] = [
      ['exists', () => store.createTopic(newTopic('sensors'))],
      ['invalid', () => store.createTopic(newTopic(''))],
      ['invalid', () => store.createTopic(newTopic('x', 0))],
      ['invalid', () => store.createTopic({ ...newTopic('x'), topicId: new Uint8Array(15) })],
      ['not-found', () => store.alterTopic('x', {})],
      ['not-found', () => store.deleteTopic('x')],
      ['not-found', () => store.addPartitions('x', 2)],
      ['not-found', () => store.append(id + 1, batch(0))],
      ['not-found', () => store.read(id + 1, 0, 1)],
      ['not-found', () => store.batchForTime(id + 1, 0)],
      ['not-found', () => store.deleteUntil(id + 1, 0)],
      ['conflict', () => store.append(id, batch(1))],
      ['invalid', () => store.append(id, batch(-1))],
      ['invalid', () => store.append(id, batch(0.5))],
      ['invalid', () => store.append(id, { ...batch(0, 2), lastOffset: -1 })],
      ['invalid', () => store.append(id, { ...batch(0), maxTimestamp: Number.NaN })],
      ['invalid', () => store.append(id, { ...batch(0), bytes: new Uint8Array(0) })],
      ['invalid', () => store.read(id, -1, 1)],
      ['invalid', () => store.deleteUntil(id, 1)],
      [isShared ? 'unsupported' : 'invalid', () => store.replace(id, 0, 0, [])],
      ['invalid', () => store.saveGroupOffsets('g', [{ ...groupOffset(0), offset: -1 }])],
    ];
    for (const [code, call] of refused) {
      await expect(call(), String(call)).rejects.toMatchObject({ name: 'StoreError', code });
    }
    await store.addPartitions('sensors', 3);
    await expect(store.addPartitions('sensors', 2)).rejects.toMatchObject({ code: 'invalid' });
    await store.append(id, batch(0));
    expect(await offsetsOf(store, id)).toEqual([0]);
  });

  it('a refused change does not disturb those that share its transaction', async () => {
    const { store, id } = await openWithPartition();
    const results = await Promise.allSettled([
      store.append(id, batch(0)),
      store.append(id, batch(5)),
      store.createTopic(newTopic('sensors')),
      store.append(id, batch(1)),
      store.createTopic(newTopic('other')),
      store.append(id, batch(1)),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    expect(await offsetsOf(store, id)).toEqual([0, 1]);
  });

  it('gives batches back byte for byte, also parts of a larger buffer, empty and large ones', async () => {
    const { store, id, restart } = await openWithPartition();
    const larger = Uint8Array.from({ length: 300_000 }, (_, index) => index * 7);
    const batches = [
      batch(0, 10, larger.subarray(3, 9)),
      batch(10, 1, larger),
      batch(11, 5, larger.subarray(0, 1)),
      batch(16, 1, new Uint8Array(largeBytes).fill(5)),
    ];
    await Promise.all(batches.map((each) => store.append(id, each)));
    const expected = batches.map(stored);
    expect(await readStored(store, id, 0, 1e9)).toEqual(expected);
    const after = (await restart()).store;
    expect(await readStored(after, id, 0, 1e9)).toEqual(expected);
    expect(await readStored(after, id, 5, 1)).toEqual(expected.slice(0, 1));
    const bytes = batches[1].bytes.length + batches[2].bytes.length;
    expect(await readStored(after, id, 10, bytes)).toEqual(expected.slice(1, 3));
    expect(await readStored(after, id, 10, bytes - 1)).toEqual(expected.slice(1, 2));
    expect(await after.read(id, 17, 1e9)).toEqual([]);
  });

  it('keeps the order of changes that were asked at once', async () => {
    const { store, id } = await openWithPartition();
    await Promise.all([
      store.append(id, batch(0)),
      store.append(id, batch(1)),
      store.deleteUntil(id, 2),
      store.append(id, batch(2)),
      isShared ? store.deleteUntil(id, 3) : store.replace(id, 2, 2, []),
      store.append(id, batch(3)),
    ]);
    expect(await offsetsOf(store, id)).toEqual([3]);
  });

  it('never gives an offset twice, also after everything was deleted', async () => {
    const { store, id, restart } = await openWithPartition();
    await Promise.all([store.append(id, batch(0, 5)), store.append(id, batch(5, 5))]);
    await store.deleteUntil(id, 10);
    const { store: after, state } = await restart();
    expect(state.topics[0].partitions[0]).toMatchObject({
      firstOffset: 10,
      nextOffset: 10,
      sizeBytes: 0,
      maxTimestamp: 1_000,
    });
    await expect(after.append(id, batch(0))).rejects.toMatchObject({ code: 'conflict' });
    await after.append(id, batch(10));
    expect(await offsetsOf(after, id)).toEqual([10]);
  });

  it('deletes up to the middle of a batch, which stays', async () => {
    const { store, id } = await openWithPartition();
    await Promise.all([store.append(id, batch(0, 5)), store.append(id, batch(5, 5))]);
    await store.deleteUntil(id, 7);
    await store.deleteUntil(id, 3);
    expect(await readStored(store, id, 0, 1e9)).toEqual([stored(batch(5, 5))]);
  });

  it('finds batches by time, also out of order', async () => {
    const { store, id } = await openWithPartition();
    const times = [100, 50, 300, 200, -1, 400];
    await Promise.all(times.map((time, offset) => store.append(id, batch(offset, 1, undefined, time))));
    const found = async (time: number) => (await store.batchForTime(id, time))?.baseOffset;
    expect([await found(0), await found(100), await found(101), await found(301)]).toEqual([0, 0, 2, 5]);
    expect(await found(401)).toBeUndefined();
    // What was ahead of its time is gone: it must not hide that offset 3 is the first to reach 150.
    await store.deleteUntil(id, 3);
    expect([await found(150), await found(201)]).toEqual([3, 5]);
    await store.deleteUntil(id, 6);
    expect(await found(0)).toBeUndefined();
  });

  if (!isShared) {
    it('replaces a range at once, and its size follows', async () => {
      const { store, id, restart } = await openWithPartition();
      for (let offset = 0; offset < 6; offset++)
        await store.append(id, batch(offset, 1, new Uint8Array(100)));
      await store.replace(id, 1, 3, [batch(2, 1, new Uint8Array(70))]);
      expect(await offsetsOf(store, id)).toEqual([0, 2, 4, 5]);
      expect((await store.read(id, 1, 1))[0].baseOffset).toBe(2);
      await expect(store.replace(id, 3, 4, [batch(5)])).rejects.toMatchObject({ code: 'conflict' });
      await store.replace(id, 5, 5, []);
      let { store: after, state } = await restart();
      expect(state.topics[0].partitions[0]).toMatchObject({ nextOffset: 6, sizeBytes: 270 });
      await after.append(id, batch(6, 1, new Uint8Array(80)));
      expect(await after.offsetForSize(id, 180)).toBe(3);
      await after.deleteUntil(id, 3);
      ({ store: after, state } = await restart());
      expect(state.topics[0].partitions[0]).toMatchObject({ firstOffset: 3, nextOffset: 7, sizeBytes: 180 });
      expect(await after.offsetForSize(id, 180)).toBe(3);
      expect(await after.offsetForSize(id, 179)).toBe(5);
      expect(await after.offsetForSize(id, 0)).toBe(7);
    });
  }

  if (!isShared) {
    it('does not replace half a batch', async () => {
      const { store, id } = await openWithPartition();
      await Promise.all([store.append(id, batch(0, 5)), store.append(id, batch(5, 5))]);
      await expect(store.replace(id, 3, 9, [])).rejects.toMatchObject({ code: 'conflict' });
      await expect(store.replace(id, 0, 6, [])).rejects.toMatchObject({ code: 'conflict' });
      expect(await offsetsOf(store, id)).toEqual([0, 5]);
    });
  }

  it('deletes a topic with all that belongs to it; a new one of that name begins anew', async () => {
    const { store, id, restart } = await openWithPartition();
    await store.append(id, { ...batch(0), producer: { id: 1n, state: Uint8Array.of(1) } });
    await store.saveGroupOffsets('g', [groupOffset(0), { ...groupOffset(0), topic: 'other' }]);
    await store.deleteUntil(id, 1);
    await store.deleteTopic('sensors');
    await expect(store.read(id, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    const again = await store.createTopic(newTopic('sensors'));
    expect(again.partitions[0].id).not.toBe(id);
    const { store: after, state } = await restart();
    // The directory of Kafka has a topic for what groups commit.
    expect(state.topics.filter(({ name }) => name !== '__consumer_offsets')).toEqual([again]);
    expect(state.groups).toEqual(new Map([['g', [{ ...groupOffset(0), topic: 'other' }]]]));
    expect(await after.read(again.partitions[0].id, 0, 1)).toEqual([]);
  });

  if (!isShared) {
    it('skips offsets, and begins with a later one', async () => {
      const { store, id, restart } = await openWithPartition();
      await Promise.all([
        store.skipTo(id, 1_000),
        store.deleteUntil(id, 1_000),
        store.append(id, batch(1_000, 5)),
        store.skipTo(id, 2_000),
        store.append(id, batch(2_000)),
        store.skipTo(id, 2_001),
        store.skipTo(id, 3_000),
      ]);
      await expect(store.skipTo(id, 2_999)).rejects.toMatchObject({ code: 'invalid' });
      await expect(store.skipTo(id + 1, 0)).rejects.toMatchObject({ code: 'not-found' });
      expect((await store.read(id, 1_005, 1)).map(({ baseOffset }) => baseOffset)).toEqual([2_000]);
      const { store: after, state } = await restart();
      expect(state.topics[0].partitions[0]).toMatchObject({ firstOffset: 1_000, nextOffset: 3_000 });
      expect(await offsetsOf(after, id)).toEqual([1_000, 2_000]);
      await after.append(id, batch(3_000));
      expect(await offsetsOf(after, id)).toEqual([1_000, 2_000, 3_000]);
    });
  }

  it('keeps the newest state of each producer with its batches', async () => {
    const { store, id, restart } = await openWithPartition();
    const large = 2n ** 63n - 1n;
    await Promise.all([
      store.append(id, { ...batch(0), producer: { id: 5n, state: Uint8Array.of(1) } }),
      store.append(id, { ...batch(1), producer: { id: large, state: Uint8Array.of(2) } }),
      store.append(id, { ...batch(9), producer: { id: 5n, state: Uint8Array.of(9) } }).catch(() => {}),
      store.append(id, batch(2)),
      store.append(id, { ...batch(3), producer: { id: 5n, state: Uint8Array.of(3) } }),
      store.append(id, { ...batch(4), producer: { id: 6n, state: Uint8Array.of(4) } }),
    ]);
    await store.forgetProducers(id, [6n, 7n]);
    if (!isShared) await store.putProducers(id, [{ id: 8n, state: Uint8Array.of(8) }]);
    const { state } = await restart();
    expect(state.topics[0].partitions[0].producers).toEqual([
      { id: 5n, state: Uint8Array.of(3) },
      // Where nodes share it, those that are forgotten lie with their batches.
      isShared ? { id: 6n, state: Uint8Array.of(4) } : { id: 8n, state: Uint8Array.of(8) },
      { id: large, state: Uint8Array.of(2) },
    ]);
  });

  it('keeps what groups committed', async () => {
    const { store, restart } = await open();
    await store.saveGroupOffsets('g', [groupOffset(0), groupOffset(1), groupOffset(2)]);
    await store.saveGroupOffsets('g', [{ ...groupOffset(1), offset: 99, metadata: 'm' }]);
    await store.saveGroupOffsets('h', [groupOffset(0)]);
    await store.saveGroupOffsets('i', [groupOffset(0)]);
    await store.deleteGroupOffsets('g', [{ topic: 'sensors', partition: 2 }]);
    await store.deleteGroupOffsets('i', [{ topic: 'sensors', partition: 0 }]);
    await store.deleteGroup('h');
    const { state } = await restart();
    expect(state.groups).toEqual(
      new Map([['g', [groupOffset(0), { ...groupOffset(1), offset: 99, metadata: 'm' }]]]),
    );
  });

  it('keeps who is in a group, and forgets it with the group', async () => {
    const { store, restart } = await open();
    await store.saveGroupMembers('g', Uint8Array.of(1));
    await store.saveGroupMembers('g', Uint8Array.of(1, 2, 3));
    await store.saveGroupMembers('', Uint8Array.of(4));
    await store.saveGroupMembers('\u{1f986}/0', Uint8Array.of(5));
    await store.saveGroupMembers('gone', Uint8Array.of(6));
    await store.saveGroupMembers('gone', undefined);
    await store.saveGroupMembers('deleted', Uint8Array.of(7));
    await store.saveGroupOffsets('deleted', [groupOffset(0)]);
    await store.deleteGroup('deleted');
    await store.putMeta('group', Uint8Array.of(8));
    await store.putMeta('group0', Uint8Array.of(9));
    const { state } = await restart();
    expect(state.groups).toEqual(new Map());
    expect(new Map([...state.groupMembers].sort())).toEqual(
      new Map([
        ['', Uint8Array.of(4)],
        ['g', Uint8Array.of(1, 2, 3)],
        ['\u{1f986}/0', Uint8Array.of(5)],
      ]),
    );
  });

  it('keeps small values', async () => {
    const { store, restart } = await open();
    await store.putMeta('cluster', Uint8Array.of(1, 2));
    await store.putMeta('gone', Uint8Array.of(1));
    await store.putMeta('gone', undefined);
    const { store: after } = await restart();
    expect(await after.getMeta('cluster')).toEqual(Uint8Array.of(1, 2));
    expect(await after.getMeta('gone')).toBeUndefined();
  });

  it('gives a value that many want to change to one of them', async () => {
    const { store, restart } = await open();
    const swapsTo = async (before: Uint8Array | undefined, values: readonly number[]) => {
      const swapped = await Promise.all(
        values.map((value) => store.swapMeta('counter', before, Uint8Array.of(value))),
      );
      return values.filter((_, n) => swapped[n]);
    };
    const winners = await swapsTo(undefined, [1, 2, 3]);
    expect(winners).toHaveLength(1);
    const first = winners[0] ?? 0;
    expect(await store.getMeta('counter')).toEqual(Uint8Array.of(first));
    expect(await swapsTo(undefined, [4, 5, 6])).toEqual([]);
    expect(await swapsTo(Uint8Array.of(first, 0), [4, 5, 6])).toEqual([]);
    const [last = 0, ...others] = await swapsTo(Uint8Array.of(first), [7, 8, 9]);
    expect(others).toEqual([]);
    expect(await store.swapMeta('empty', undefined, new Uint8Array(0))).toBe(true);
    expect(await store.swapMeta('empty', undefined, new Uint8Array(0))).toBe(false);
    const { store: after } = await restart();
    expect(await after.getMeta('counter')).toEqual(Uint8Array.of(last));
  });

  it('finishes what was asked before it closes, and refuses the rest', async () => {
    const { store, id, restart } = await openWithPartition();
    const asked = Promise.all([store.append(id, batch(0)), store.append(id, batch(1))]);
    const closed = store.close();
    const refused = { name: 'StoreUnavailableError', reason: 'closed' };
    await asked;
    await closed;
    await store.close();
    await expect(store.append(id, batch(2))).rejects.toMatchObject(refused);
    await expect(store.read(id, 0, 1)).rejects.toMatchObject(refused);
    await expect(store.flush()).rejects.toMatchObject(refused);
    expect(store.health().status).toBe('closed');
    expect(await offsetsOf((await restart()).store, id)).toEqual([0, 1]);
  });

  it('flush resolves after what was asked before', async () => {
    const { store, id } = await openWithPartition();
    let isAppended = false;
    void store.append(id, batch(0)).then(() => {
      isAppended = true;
    });
    await store.flush();
    expect(isAppended).toBe(true);
  });

  it('does what a plain array does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(isShared ? commandOfShared : command, { maxLength: 40 }),
        async (commands) => {
          const { store, restart, id } = await openWithPartition();
          await runAgainstModel(store, restart, id, commands, form);
          await opened.pop()!.close();
        },
      ),
      { numRuns: rounds(runs) },
    );
  });
}

// The model: all batches of one partition in an array.

type Command =
  | { kind: 'append'; sizes: number[]; records: number; time: number }
  | { kind: 'delete'; share: number }
  | { kind: 'replace'; from: number; to: number; keep: number }
  | { kind: 'restart' };

const appendCommand = fc.record({
  kind: fc.constant('append' as const),
  sizes: fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 }),
  records: fc.integer({ min: 1, max: 20 }),
  time: fc.integer({ min: -1, max: 500 }),
});

const everyStores: fc.MaybeWeightedArbitrary<Command>[] = [
  { weight: 5, arbitrary: appendCommand },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), share: share() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
];

const commandOfShared: fc.Arbitrary<Command> = fc.oneof(...everyStores);

const command: fc.Arbitrary<Command> = fc.oneof(...everyStores, {
  weight: 2,
  arbitrary: fc.record({
    kind: fc.constant('replace' as const),
    from: share(),
    to: share(),
    keep: fc.nat(3),
  }),
});

function share(): fc.Arbitrary<number> {
  return fc.double({ min: 0, max: 1, noNaN: true });
}

function sizeOf(batches: readonly NewBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

async function runAgainstModel(
  first: LogStore,
  restart: () => Promise<{ store: LogStore; state: StoredState }>,
  id: number,
  commands: Command[],
  form: (batch: NewBatch) => NewBatch,
): Promise<void> {
  let store = first;
  let kept: NewBatch[] = [];
  let firstOffset = 0;
  let nextOffset = 0;
  let maxTimestamp = -1;
  for (const step of commands) {
    switch (step.kind) {
      case 'append': {
        const appended = step.sizes.map((size, index) => {
          const bytes = new Uint8Array(size).fill(nextOffset + index);
          const made = form(plainBatch(nextOffset, step.records, bytes, step.time + index));
          nextOffset += step.records;
          maxTimestamp = Math.max(maxTimestamp, made.maxTimestamp);
          return made;
        });
        await Promise.all(appended.map((each) => store.append(id, each)));
        kept.push(...appended);
        break;
      }
      case 'delete': {
        const offset = Math.round(firstOffset + (nextOffset - firstOffset) * step.share);
        const gone = await store.deleteUntil(id, offset);
        firstOffset = Math.max(firstOffset, offset);
        const before = sizeOf(kept);
        kept = kept.filter(({ lastOffset }) => lastOffset >= firstOffset);
        expect(gone).toBe(before - sizeOf(kept));
        break;
      }
      case 'replace': {
        if (kept.length === 0) break;
        const from = Math.floor(step.from * (kept.length - 1));
        const to = Math.max(from, Math.floor(step.to * (kept.length - 1)));
        const chosen = kept.slice(from, to + 1);
        const replacing = chosen
          .filter((_, index) => index % (step.keep + 1) === step.keep)
          .map((each) => form({ ...each, bytes: each.bytes.slice(0, Math.ceil(each.bytes.length / 2)) }));
        const gone = await store.replace(id, chosen[0].baseOffset, chosen.at(-1)!.lastOffset, replacing);
        expect(gone).toBe(sizeOf(chosen) - sizeOf(replacing));
        kept.splice(from, chosen.length, ...replacing);
        break;
      }
      case 'restart': {
        const restarted = await restart();
        store = restarted.store;
        expect(restarted.state.topics[0].partitions[0]).toMatchObject({
          firstOffset,
          nextOffset,
          maxTimestamp,
          sizeBytes: sizeOf(kept),
        });
        break;
      }
    }
    expect(await readStored(store, id, 0, 1e9)).toEqual(kept.map(stored));
    const middle = Math.floor((firstOffset + nextOffset) / 2);
    expect((await store.read(id, middle, 1)).map(({ baseOffset }) => baseOffset)).toEqual(
      kept
        .filter(({ lastOffset }) => lastOffset >= middle)
        .map(({ baseOffset }) => baseOffset)
        .slice(0, 1),
    );
    for (const time of [0, 250, 500]) {
      expect((await store.batchForTime(id, time))?.baseOffset).toBe(
        kept.find((each) => each.maxTimestamp >= time)?.baseOffset,
      );
    }
    const size = sizeOf(kept);
    const cut = await store.offsetForSize(id, Math.floor(size / 2));
    const left = kept.filter(({ lastOffset }) => lastOffset >= cut);
    const leftBytes = left.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(leftBytes).toBeLessThanOrEqual(size / 2);
    const onMore = kept[kept.length - left.length - 1];
    if (onMore) expect(leftBytes + onMore.bytes.length).toBeGreaterThan(Math.floor(size / 2));
  }
}

function newTopic(name: string, partitionCount = 1) {
  const topicId = new Uint8Array(createHash('sha256').update(name).digest().subarray(0, 16));
  return { name, topicId, configs: {}, partitionCount, createdAtMs: 1_700_000_000_000 };
}

function plainBatch(
  baseOffset: number,
  count = 1,
  bytes: Uint8Array = Uint8Array.of(1, 2, 3),
  maxTimestamp = 1_000,
): NewBatch {
  return { baseOffset, lastOffset: baseOffset + count - 1, count, maxTimestamp, bytes };
}

/** A batch with a digest in place of its bytes: comparing megabytes one by one takes minutes. */
function stored({ baseOffset, lastOffset, count, maxTimestamp, bytes }: NewBatch) {
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { baseOffset, lastOffset, count, maxTimestamp, digest };
}

async function readStored(store: LogStore, partition: number, fromOffset: number, maxBytes: number) {
  return (await store.read(partition, fromOffset, maxBytes)).map(stored);
}

function groupOffset(partition: number) {
  return { topic: 'sensors', partition, offset: 10, leaderEpoch: -1, metadata: '', committedAtMs: 5 };
}

async function offsetsOf(store: LogStore, partition: number): Promise<number[]> {
  return (await store.read(partition, 0, 1e9)).map(({ baseOffset }) => baseOffset);
}
