import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transactionKind } from '../../internal/batch/control-batch.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { Reading } from '../../internal/doors/kafka/fetch/reading.ts';
import type { RequestContext } from '../../internal/doors/kafka/handler.ts';
import { RequestAccess } from '../../internal/doors/kafka/request-access.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { MemoryPool } from '../../internal/lib/lent-memory.ts';
import type { PartitionLog } from '../../internal/log/partition-log.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { KafkaDirectoryStore } from '../../internal/store/kafka-directory/kafka-directory-store.ts';
import type { NewBatch } from '../../internal/store/log-store.ts';
import { connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { accessOfTest } from '../support/access.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openLogs } from '../support/logs.ts';
import {
  aborted,
  committed,
  type Happening,
  plain,
  sent,
  transactionBatches,
} from '../support/transactions.ts';

/** What a Kafka left behind: its last transaction has no end. */
const LEFT_BEHIND = [
  plain('a'), // 0
  sent(1, 'b', 'c'), // 1, 2
  sent(2, 'd'), // 3
  aborted(2), // 4
  committed(1), // 5
  plain('e'), // 6
  sent(3, 'f'), // 7
  plain('g'), // 8
  sent(2, 'h'), // 9
  aborted(2), // 10
];
const STABLE = 7;
const END = 11;
const COMMITTED = ['a', 'b', 'c', 'e'];
const READ_COMMITTED = 1;

const directory = mkdtempSync(join(tmpdir(), 'tinymq-transactions-'));
let broker: RunningBroker;
let wire: KafkaWire;

beforeAll(async () => {
  await writeDirectory({
    orders: LEFT_BEHIND,
    deleted: LEFT_BEHIND,
    finished: [...LEFT_BEHIND, committed(3)],
  });
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0'],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    grpc: { listen: ['tcp://127.0.0.1:0'] },
    kafkaLogDirs: { directories: [directory] },
    // What was left behind is years old, and a first look at what is to be deleted comes a second after the start.
    keepForMs: 0,
  });
  wire = await KafkaWire.open(urlOf(broker, 'kafka'));
});

afterAll(async () => {
  wire.close();
  await broker.close();
  rmSync(directory, { recursive: true, force: true });
});

async function writeDirectory(topics: Record<string, readonly Happening[]>): Promise<void> {
  const handmade = Object.keys(topics).map((name, index) => ({
    name,
    topicId: `${'A'.repeat(20)}${index}Q`,
    partitionCount: 1,
  }));
  writeKafkaDirectory(directory, handmade);
  const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os' });
  const state = await store.open();
  for (const { name, partitions } of state.topics) {
    for (const batch of transactionBatches(topics[name])) await store.append(partitions[0].id, batch);
  }
  await store.close();
}

async function fetched(
  topic: string,
  isolationLevel: number,
  { offset = 0, version = 11, maxBytes = 1e6 } = {},
) {
  const { responses } = await wire.ask(fetch, version, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1e6,
    isolationLevel,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: maxBytes }] }],
  });
  return responses[0].partitions[0];
}

describe('a topic with open and aborted transactions', () => {
  it('is read up to the last stable offset by who wants committed records, with what was aborted beside it', async () => {
    const answer = await fetched('orders', READ_COMMITTED);
    expect(answer).toMatchObject({ errorCode: 0, highWatermark: END, lastStableOffset: STABLE });
    expect(endOf(answer.records)).toBe(STABLE);
    expect(answer.abortedTransactions).toEqual([
      { producerId: 2, firstOffset: 3 },
      { producerId: 2, firstOffset: 9 },
    ]);
  });

  it('is read as a whole by who wants everything', async () => {
    const answer = await fetched('orders', 0);
    expect(answer).toMatchObject({ highWatermark: END, lastStableOffset: STABLE, abortedTransactions: null });
    expect(endOf(answer.records)).toBe(END);
  });

  it('tells of the aborted transactions that reach into what is handed out', async () => {
    const part = await fetched('orders', READ_COMMITTED, { maxBytes: 1 });
    expect(endOf(part.records)).toBe(1);
    expect(part.abortedTransactions).toEqual([]);
    const behind = await fetched('orders', READ_COMMITTED, { offset: 5, maxBytes: 1 });
    expect(behind.abortedTransactions).toEqual([]);
    const mark = await fetched('orders', READ_COMMITTED, { offset: 4, maxBytes: 1 });
    expect(mark.abortedTransactions).toEqual([{ producerId: 2, firstOffset: 3 }]);
  });

  it('has nothing for who wants committed records from the last stable offset on, which is no error', async () => {
    for (const offset of [STABLE, END]) {
      const answer = await fetched('orders', READ_COMMITTED, { offset });
      expect(answer).toMatchObject({ errorCode: 0, lastStableOffset: STABLE, abortedTransactions: [] });
      expect(answer.records).toHaveLength(0);
    }
    expect(await fetched('orders', READ_COMMITTED, { offset: END + 1 })).toMatchObject({ errorCode: 1 });
  });

  it.each([4, 5, 7, 10, 12])('is the same in version %i of Fetch', async (version) => {
    const answer = await fetched('orders', READ_COMMITTED, { version });
    expect(answer).toMatchObject({ highWatermark: END, lastStableOffset: STABLE });
    expect(answer.abortedTransactions).toHaveLength(2);
    expect(endOf(answer.records)).toBe(STABLE);
  });

  it('ends at the last stable offset for ListOffsets, by time too', async () => {
    const list = async (isolationLevel: number, timestamp: number) => {
      const { topics } = await wire.ask(listOffsets, 7, {
        replicaId: -1,
        isolationLevel,
        topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] }],
      });
      const { errorCode, offset } = topics[0].partitions[0];
      return { errorCode, offset };
    };
    expect(await list(READ_COMMITTED, -1)).toEqual({ errorCode: 0, offset: STABLE });
    expect(await list(0, -1)).toEqual({ errorCode: 0, offset: END });
    expect(await list(READ_COMMITTED, -2)).toEqual({ errorCode: 0, offset: 0 });
    expect(await list(READ_COMMITTED, 1)).toEqual({ errorCode: 0, offset: 0 });
  });

  it('is stable up to its end where every transaction has one', async () => {
    const answer = await fetched('finished', READ_COMMITTED);
    expect(answer).toMatchObject({ highWatermark: END + 1, lastStableOffset: END + 1 });
    expect(endOf(answer.records)).toBe(END + 1);
  });

  it('is replayed without what was aborted or is open', async () => {
    const client = await connect(urlOf(broker, 'frames'));
    const heard: Record<string, string[]> = { orders: [], finished: [] };
    for (const topic of Object.keys(heard)) {
      await client.subscribe(topic, ({ payload }) => heard[topic].push(Buffer.from(payload).toString()), {
        from: 'earliest',
      });
    }
    await eventually(() => heard.finished.length >= 6, 'all that was committed');
    expect(heard).toEqual({ orders: COMMITTED, finished: [...COMMITTED, 'f', 'g'] });
    await client.close();
  });

  it('is read by clients of SMQ without what was aborted or is open', async () => {
    const client = new TestClient(urlOf(broker, 'grpc'));
    const { count, messages } = (await client.unary('BulkRetrieve', {
      topic: 'orders',
      startOffset: 0n,
      limit: 0,
    })) as {
      count: number;
      messages: { message: Uint8Array }[];
    };
    expect(count).toBe(COMMITTED.length);
    expect(messages.map(({ message }) => Buffer.from(message).toString())).toEqual(COMMITTED);
    // SMQ counts from 1.
    expect(await client.unary('GetLatestOffset', { topic: 'orders' })).toEqual({ offset: BigInt(STABLE) });
    await expect(client.unary('Consume', { topic: 'orders', offset: BigInt(STABLE + 1) })).rejects.toThrow(
      'offset is greater than the latest offset',
    );
    await expect(client.unary('Consume', { topic: 'orders', offset: 4n })).rejects.toThrow(
      'no message at offset',
    );
    client.close();
  });

  it('begins where records were deleted, within an open transaction too', async () => {
    const { topics } = await wire.ask(deleteRecords, 2, {
      topics: [{ name: 'deleted', partitions: [{ partitionIndex: 0, offset: 8 }] }],
      timeoutMs: 1000,
    });
    expect(topics[0].partitions[0]).toMatchObject({ errorCode: 0, lowWatermark: 8 });
    const answer = await fetched('deleted', READ_COMMITTED, { offset: 8 });
    expect(answer).toMatchObject({ errorCode: 0, lastStableOffset: 8, highWatermark: END });
    expect(answer.records).toHaveLength(0);
  });
});

describe('a Fetch that waits', () => {
  it('for committed records waits for the end of the transaction, not for its records', async () => {
    const { logs } = await openLogs();
    const topic = await logs.createTopic('t', 1, {});
    const partition = topic.partitions[0];
    const batches = transactionBatches([sent(1, 'a'), plain('b'), committed(1)]);
    await append(partition, batches[0]);
    const reading = (isolationLevel: number) => {
      const asked = {
        topic: 't',
        topicId: topic.topicId,
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset: 0,
      };
      const more = {
        lastFetchedEpoch: -1,
        partitionMaxBytes: 1e6,
        toldHighWatermark: -1,
        toldFirstOffset: -1,
      };
      const request = { maxBytes: 1e6, isolationLevel, replicaId: -1 } as never;
      const access = new RequestAccess(accessOfTest('reader'), ['read topic']);
      const parts = { logs, fetchMemory: new MemoryPool(0) };
      const context = { parts, version: 11, access } as RequestContext;
      return new Reading([{ ...asked, ...more, wasRefused: false }], request, context);
    };
    const all = reading(0);
    await all.start();
    expect(all.reads[0].nextOffset).toBe(1);

    const committedOnly = reading(READ_COMMITTED);
    await committedOnly.start();
    const waiting = committedOnly.untilEnough(1, 60_000, new AbortController().signal, systemClock);
    await append(partition, batches[1]);
    expect(committedOnly.reads[0].bytes).toBe(0);
    await append(partition, batches[2]);
    await waiting;
    committedOnly.stop();
    await eventually(() => committedOnly.reads[0].nextOffset === 3, 'everything');
    await logs.close();
  });

  function append(partition: PartitionLog, { bytes, count, maxTimestamp }: NewBatch): Promise<number> {
    const header = parseBatchHeader(bytes, 0);
    const kind = transactionKind(bytes, header);
    const transaction = kind === undefined ? undefined : { producerId: header.producerId, kind };
    return partition.append({ bytes, count, maxTimestamp, transaction });
  }
});

/** The offset behind the last of several batches. */
function endOf(records: Uint8Array | null): number {
  let end = -1;
  for (let at = 0; at < records!.length; ) {
    const header = parseBatchHeader(records!, at);
    end = header.lastOffset + 1;
    at = header.end;
  }
  return end;
}
