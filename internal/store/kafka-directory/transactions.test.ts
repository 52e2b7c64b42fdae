import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { writeKafkaDirectory } from '../../../test/support/kafka-directory.ts';
import { aborted, committed, plain, sent, transactionBatches } from '../../../test/support/transactions.ts';
import { crc32c } from '../../batch/crc32c.ts';
import type { NewBatch, StoredPartition } from '../log-store.ts';
import { KafkaDirectoryStore } from './kafka-directory-store.ts';

const TOPIC = { name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionCount: 1 };
/** Each but the last transaction has its end. */
const HAPPENINGS = [
  plain('a', 'b'), // 0, 1
  sent(1, 'c', 'd'), // 2, 3
  sent(2, 'e'), // 4
  aborted(1), // 5
  committed(2), // 6
  sent(3, 'f'), // 7
  sent(1, 'g'), // 8
  aborted(1), // 9
  plain('h'), // 10
];
const TRANSACTIONS = {
  open: [{ producerId: 3, firstOffset: 7 }],
  aborted: [
    { producerId: 1, firstOffset: 2, lastOffset: 5, lastStableOffset: 4 },
    { producerId: 1, firstOffset: 8, lastOffset: 9, lastStableOffset: 7 },
  ],
};

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tinymq-transactions-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  writeKafkaDirectory(directory, [TOPIC]);
  return directory;
}

async function open(directory: string, segmentBytes?: number) {
  const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os', segmentBytes });
  cleanUps.push(() => store.close());
  const state = await store.open();
  return { store, partition: state.topics[0].partitions[0] };
}

/** A directory with these batches that was closed. */
async function filled(happenings = HAPPENINGS, segmentBytes?: number): Promise<string> {
  const directory = newDirectory();
  const { store, partition } = await open(directory, segmentBytes);
  for (const batch of transactionBatches(happenings)) await store.append(partition.id, batch);
  await store.close();
  return directory;
}

async function transactionsIn(directory: string): Promise<StoredPartition['transactions']> {
  const { store, partition } = await open(directory);
  await store.close();
  return partition.transactions;
}

/** Takes away what says more than the batches do. */
function forgetAllBut(directory: string, kept: RegExp): void {
  rmSync(join(directory, 'tinymq.journal'), { force: true });
  for (const name of readdirSync(join(directory, 't-0'))) {
    if (!kept.test(name)) rmSync(join(directory, 't-0', name));
  }
}

/** What Kafka writes of its producers when it rolls a segment or ends; each with the offset its transaction began with. */
function snapshot(producers: readonly [id: number, firstOffset: number][]): Buffer {
  const bytes = Buffer.alloc(10 + producers.length * 46);
  bytes.writeInt16BE(1, 0);
  bytes.writeInt32BE(producers.length, 6);
  for (const [index, [id, firstOffset]] of producers.entries()) {
    bytes.writeBigInt64BE(BigInt(id), 10 + index * 46);
    bytes.writeBigInt64BE(BigInt(firstOffset), 10 + index * 46 + 38);
  }
  bytes.writeUInt32BE(crc32c(bytes, 6, bytes.length), 2);
  return bytes;
}

describe('the transactions in a directory of Kafka', () => {
  it('are known again after a restart, by what was noted', async () => {
    const directory = await filled();
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
    expect(readFileSync(join(directory, 't-0', '00000000000000000000.txnindex'))).toHaveLength(2 * 34);
  });

  it('are found in the batches where nothing else tells of them', async () => {
    const directory = await filled();
    forgetAllBut(directory, /\.log$|^partition\.metadata$/);
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
  });

  it('are found in several segments', async () => {
    const directory = await filled(HAPPENINGS, 150);
    expect(
      readdirSync(join(directory, 't-0')).filter((name) => name.endsWith('.log')).length,
    ).toBeGreaterThan(3);
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
    forgetAllBut(directory, /\.log$|^partition\.metadata$/);
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
  });

  it("are taken from Kafka's snapshots and indexes, without a look at the batches before them", async () => {
    const directory = await filled();
    forgetAllBut(directory, /\.log$|\.txnindex$|^partition\.metadata$/);
    // Kafka said so of everything, and ended in good order.
    writeFileSync(
      join(directory, 't-0', '00000000000000000011.snapshot'),
      snapshot([
        [4, -1],
        [9, 1],
      ]),
    );
    writeFileSync(join(directory, '.kafka_cleanshutdown'), '{"version":0,"brokerEpoch":1}');
    expect(await transactionsIn(directory)).toEqual({
      ...TRANSACTIONS,
      open: [{ producerId: 9, firstOffset: 1 }],
    });
  });

  it('are not taken from what Kafka wrote shortly before a crash', async () => {
    const directory = await filled();
    forgetAllBut(directory, /\.log$|^partition\.metadata$/);
    writeFileSync(join(directory, 't-0', '00000000000000000011.snapshot'), snapshot([[9, 1]]));
    writeFileSync(join(directory, 'recovery-point-offset-checkpoint'), '0\n1\nt 0 4\n');
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
  });

  it('are found in the batches where a snapshot or an index is damaged', async () => {
    const directory = await filled();
    writeFileSync(join(directory, 't-0', '00000000000000000000.txnindex'), Buffer.alloc(35));
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
    forgetAllBut(directory, /\.log$|^partition\.metadata$/);
    writeFileSync(join(directory, '.kafka_cleanshutdown'), '{}');
    writeFileSync(join(directory, 't-0', '00000000000000000011.snapshot'), snapshot([[9, 1]]).fill(7, 20));
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
  });

  it('stay what they are when batches are replaced, as compaction does it', async () => {
    const directory = await filled();
    const { store, partition } = await open(directory);
    const first: NewBatch[] = [];
    await store.replace(partition.id, 0, 1, first);
    await store.close();
    // Where it is missing, Kafka takes what was aborted for committed.
    expect(readFileSync(join(directory, 't-0', '00000000000000000000.txnindex'))).toHaveLength(2 * 34);
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
    forgetAllBut(directory, /\.log$|^partition\.metadata$/);
    expect(await transactionsIn(directory)).toEqual(TRANSACTIONS);
  });

  it('go with the records that are deleted; an open one stays open', async () => {
    const directory = await filled();
    const { store, partition } = await open(directory);
    await store.deleteUntil(partition.id, 9);
    await store.close();
    const left = { open: TRANSACTIONS.open, aborted: [TRANSACTIONS.aborted[1]] };
    expect(await transactionsIn(directory)).toEqual(left);
  });

  it('have Kafka look at them itself where one is open, as it has no snapshot of what we wrote', async () => {
    const mark = (directory: string) => join(directory, '.kafka_cleanshutdown');
    for (const [happenings, isClean] of [
      [HAPPENINGS, false],
      [[...HAPPENINGS, committed(3)], true],
    ] as const) {
      const directory = newDirectory();
      writeFileSync(mark(directory), '{}');
      const { store, partition } = await open(directory);
      for (const batch of transactionBatches(happenings)) await store.append(partition.id, batch);
      await store.close();
      expect(existsSync(mark(directory))).toBe(isClean);
    }
  });
});
