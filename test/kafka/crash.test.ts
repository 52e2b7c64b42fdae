import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { records } from '../../internal/batch/read.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { rounds } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-crash-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOPIC = 'crash';
const IN_FLIGHT = 5;
const RECORDS_PER_BATCH = 3;
/** So that what is written together goes to several files. */
const PARTITIONS = 3;

/** A batch that was sent; it stays until it is acknowledged. */
interface Sent {
  firstSequence: number;
  texts: string[];
}

/** An idempotent producer with five requests in flight, which sends again what it does not know the fate of. */
class Producer {
  readonly id: number;
  readonly partition: number;
  /** What was acknowledged, by its offset. */
  readonly acknowledged = new Map<number, string>();
  #sequence = 0;
  #unknown: Sent[] = [];

  constructor(id: number) {
    this.id = id;
    this.partition = id % PARTITIONS;
  }

  /** Produces until the connection ends. */
  async run(url: string): Promise<void> {
    const wire = await KafkaWire.open(url);
    for (const sent of this.#unknown) this.#send(wire, sent);
    for (;;) {
      while (this.#unknown.length < IN_FLIGHT) {
        const firstSequence = this.#sequence;
        this.#sequence += RECORDS_PER_BATCH;
        const texts = Array.from(
          { length: RECORDS_PER_BATCH },
          (_, at) => `${this.id}:${firstSequence + at}`,
        );
        const sent = { firstSequence, texts };
        this.#unknown.push(sent);
        this.#send(wire, sent);
      }
      const answer = await wire.next();
      if (answer === undefined) return;
      const { body } = decodeResponse(produce, 9, answer);
      const { errorCode, baseOffset } = body.responses[0].partitionResponses[0];
      expect(errorCode).toBe(0);
      const { texts } = this.#unknown.shift()!;
      for (const [at, text] of texts.entries()) this.acknowledged.set(baseOffset + at, text);
    }
  }

  #send(wire: KafkaWire, { firstSequence, texts }: Sent): void {
    const batch = buildBatch(
      texts.map((text) => ({ timestamp: Date.now(), key: null, value: Buffer.from(text), headers: [] })),
      { producerId: this.id, producerEpoch: 0, baseSequence: firstSequence },
    );
    wire.send(produce, 9, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: this.partition, records: batch }] }],
    });
  }
}

function kafkaUrl(broker: BrokerProcess): string {
  return (JSON.parse(broker.stdout()) as { kafka: string[] }).kafka[0];
}

/** Every record of a partition: its offset, and its text. */
async function everything(url: string, partition: number): Promise<[number, string][]> {
  const wire = await KafkaWire.open(url);
  const found: [number, string][] = [];
  for (let next = 0; ; ) {
    const { responses } = await wire.ask(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      topics: [{ topic: TOPIC, partitions: [{ partition, fetchOffset: next, partitionMaxBytes: 1e6 }] }],
    });
    const { errorCode, records: bytes, highWatermark } = responses[0].partitions[0];
    expect(errorCode).toBe(0);
    for (let at = 0; at < bytes!.length; ) {
      const header = parseBatchHeader(bytes!, at);
      at = header.end;
      for (const { offset, value } of records(bytes!, header, 1e6)) {
        if (offset >= next) found.push([offset, Buffer.from(value!).toString()]);
      }
    }
    next = (found.at(-1)?.[0] ?? -1) + 1;
    if (next >= highWatermark) break;
  }
  wire.close();
  return found;
}

const kafkaDirectory = (name: string): string => {
  const directory = join(folder, name);
  const topicId = 'ml8oAK_iQ6CoGb5lWEQRDQ';
  writeKafkaDirectory(directory, [{ name: TOPIC, topicId, partitionCount: PARTITIONS }]);
  return directory;
};
const STORES = [
  { name: 'SQLite', flags: (name: string) => ['-data-dir', join(folder, name)] },
  { name: "a Kafka's directory", flags: (name: string) => ['-kafka-log-dir', kafkaDirectory(name)] },
];

describe.each(STORES)(
  'kill -9 while producers with acks=all run, with $name',
  ({ name, flags: storeFlags }) => {
    it.each(['commit', 'os'])(
      'loses nothing, gives no offset twice, and writes once (-fsync %s)',
      async (fsync) => {
        const flags = ['-kafka', '127.0.0.1:0', '-kafka-partitions', String(PARTITIONS), '-fsync', fsync];
        flags.push(...storeFlags(`${name} ${fsync}`));
        const producers = [101, 102, 103, 104].map((id) => new Producer(id));
        for (let round = 0; round < rounds(3); round++) {
          await using broker = await startBrokerProcess(flags);
          const url = kafkaUrl(broker);
          const wire = await KafkaWire.open(url);
          await wire.ask(metadata, 9, { topics: [{ name: TOPIC }] });
          wire.close();
          const before = producers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
          const running = producers.map((producer) => producer.run(url));
          await expect
            .poll(() => producers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0), {
              timeout: 60_000,
            })
            .toBeGreaterThan(before + 600);
          await broker.stop('SIGKILL');
          await Promise.all(running);
        }
        await using broker = await startBrokerProcess(flags);
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const found = await everything(kafkaUrl(broker), partition);
          const byOffset = new Map(found);
          expect(byOffset.size).toBe(found.length);
          expect(new Set(found.map(([, text]) => text)).size).toBe(found.length);
          for (const { id, acknowledged } of producers.filter((each) => each.partition === partition)) {
            for (const [offset, text] of acknowledged) expect(byOffset.get(offset)).toBe(text);
            const own = found.map(([, text]) => text).filter((text) => text.startsWith(`${id}:`));
            expect(own).toEqual(own.map((_, sequence) => `${id}:${sequence}`));
          }
        }
      },
    );
  },
);
