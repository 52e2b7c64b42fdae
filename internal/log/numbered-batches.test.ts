import { expect, it } from 'vitest';
import { TryingStore } from '../../test/support/trying-store.ts';
import { buildBatch } from '../batch/build.ts';
import { records } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import { PartitionLog, type UnplacedBatch } from './partition-log.ts';
import { TailCache } from './tail-cache.ts';

/*
 * A client that numbers its messages sends them again, by another node too, where the same messages may be cut into other batches,
 * and where the batches of before may still be under way. Who leads the partition has each of them once.
 */

const CLIENT = -7n;

async function opened() {
  const store = new TryingStore();
  await store.open();
  const topic = { name: 'a', topicId: new Uint8Array(16), configs: {}, partitionCount: 1, createdAtMs: 0 };
  const { partitions } = await store.createTopic(topic);
  const [partition] = partitions as [(typeof partitions)[0]];
  const log = () => new PartitionLog(partition, { store, cache: new TailCache(1e6) });
  return { store, log: log(), log2: log() };
}

/** Messages with these numbers, as one node would append them. */
function numbered(...numbers: number[]): UnplacedBatch {
  const bytes = buildBatch(
    numbers.map((number) => ({ timestamp: 1_000 + number, key: null, value: Buffer.from(`${number}`) })),
  );
  const runs = numbers.map((first) => ({ first, count: 1 }));
  return {
    ...{ bytes, count: numbers.length, maxTimestamp: 1_000 + numbers.at(-1)! },
    numbered: { id: CLIENT, runs },
  };
}

async function numbersIn(log: PartitionLog): Promise<number[]> {
  const numbers: number[] = [];
  let next = 0;
  for (const { bytes } of await log.read(0, 1e6)) {
    for (const { offset, value } of records(bytes, parseBatchHeader(bytes, 0), 1e6)) {
      expect(offset).toBe(next++);
      numbers.push(Number(Buffer.from(value!).toString()));
    }
  }
  expect(log.highWatermark).toBe(next);
  return numbers;
}

it('a batch that came before is not written again', async () => {
  const { log } = await opened();
  await log.append(numbered(1, 2, 3));
  await log.append(numbered(1, 2, 3));
  await log.append(numbered(2));
  expect(await numbersIn(log)).toEqual([1, 2, 3]);
});

it('of one that came in part the rest is written', async () => {
  const { log } = await opened();
  await log.append(numbered(1, 2, 4));
  await log.append(numbered(2, 4, 5, 9));
  expect(await numbersIn(log)).toEqual([1, 2, 4, 5, 9]);
  expect(log.lastNumberOf(CLIENT)).toBe(9);
  expect(log.maxTimestamp).toBe(1_009);
});

it('one that is under way is not written a second time, and is answered with the first', async () => {
  const { log, store } = await opened();
  store.hold();
  const answers: string[] = [];
  const first = log.append(numbered(1, 2)).then(() => answers.push('first'));
  const again = log.append(numbered(1, 2)).then(() => answers.push('again'));
  const rest = log.append(numbered(2, 3)).then(() => answers.push('rest'));
  await new Promise(setImmediate);
  expect(answers).toEqual([]);
  store.release();
  await Promise.all([first, again, rest]);
  expect(await numbersIn(log)).toEqual([1, 2, 3]);
});

it('one that could not be written is refused for all who sent it, and is taken when it comes again', async () => {
  const { log, store } = await opened();
  store.hold();
  const sent = [log.append(numbered(1, 2)), log.append(numbered(1, 2)), log.append(numbered(3))];
  store.isFailing = true;
  store.release();
  expect((await Promise.allSettled(sent)).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
  await expect(log.append(numbered(4))).rejects.toMatchObject({ code: 'unavailable' });
  store.isFailing = false;
  // Its client has not heard yet that the ones before are not there; it is going to send them again.
  await expect(log.append(numbered(5))).rejects.toMatchObject({ code: 'unavailable' });
  await log.append(numbered(1, 2, 3));
  await log.append(numbered(4, 5));
  expect(await numbersIn(log)).toEqual([1, 2, 3, 4, 5]);
});

/*
 * What a node has given to the leader may get there late: its client has sent all again by another node, and gone on.
 */
it('one that comes late by another node changes nothing', async () => {
  const { store, log } = await opened();
  await log.append(numbered(1, 2, 3, 4));
  const late = { ...numbered(1, 2), numbered: { id: CLIENT, runs: [{ first: 1, count: 2 }] } };
  await log.appendHere(late);
  const behind = { ...numbered(3), numbered: { id: CLIENT, runs: [{ first: 3, count: 1 }], after: 2 } };
  await log.appendHere(behind);
  const early = { ...numbered(9), numbered: { id: CLIENT, runs: [{ first: 9, count: 1 }], after: 8 } };
  await expect(log.appendHere(early)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await numbersIn(log)).toEqual([1, 2, 3, 4]);
  expect(store.appends).toBe(1);
});

it('a new leader knows what the one before has written', async () => {
  const { store, log, log2 } = await opened();
  await log.append(numbered(1, 2, 3));
  log2.lead((await store.open()).topics[0]!.partitions[0]!);
  await log2.append(numbered(2, 3, 4));
  expect(await numbersIn(log2)).toEqual([1, 2, 3, 4]);
});
