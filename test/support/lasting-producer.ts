import { buildBatch } from '../../internal/batch/build.ts';
import { records } from '../../internal/batch/read.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import type { BrokerProcess } from './broker-process.ts';
import { KafkaWire } from './kafka-wire.ts';

const IN_FLIGHT = 5;
const RECORDS_PER_BATCH = 3;

/** A batch that was sent; it stays until it is acknowledged. */
interface Sent {
  firstSequence: number;
  texts: string[];
}

/** An idempotent producer with five requests in flight, which sends again what it does not know the fate of. */
export class LastingProducer {
  readonly id: number;
  readonly #topic: string;
  readonly partition: number;
  /** What was acknowledged, by its offset. */
  readonly acknowledged = new Map<number, string>();
  #sequence = 0;
  #unknown: Sent[] = [];

  constructor(id: number, topic: string, partition: number) {
    this.id = id;
    this.#topic = topic;
    this.partition = partition;
  }

  /** Produces until the connection ends. @throws Error where a batch is refused */
  async run(url: string): Promise<void> {
    const wire = await KafkaWire.open(url);
    try {
      for (const sent of this.#unknown) this.#send(wire, sent);
      while (await this.#step(wire));
    } finally {
      wire.close();
    }
  }

  /** Keeps the requests in flight, and takes an answer. @returns false where the connection has ended */
  async #step(wire: KafkaWire): Promise<boolean> {
    while (this.#unknown.length < IN_FLIGHT) {
      const firstSequence = this.#sequence;
      this.#sequence += RECORDS_PER_BATCH;
      const texts = Array.from({ length: RECORDS_PER_BATCH }, (_, at) => `${this.id}:${firstSequence + at}`);
      const sent = { firstSequence, texts };
      this.#unknown.push(sent);
      this.#send(wire, sent);
    }
    const answer = await wire.next();
    if (answer === undefined) return false;
    const { body } = decodeResponse(produce, 9, answer);
    const { errorCode, baseOffset } = body.responses[0].partitionResponses[0];
    if (errorCode !== 0) throw new Error(`Produce was answered with the error ${errorCode}`);
    const { texts } = this.#unknown.shift()!;
    for (const [at, text] of texts.entries()) this.acknowledged.set(baseOffset + at, text);
    return true;
  }

  #send(wire: KafkaWire, { firstSequence, texts }: Sent): void {
    const batch = buildBatch(
      texts.map((text) => ({ timestamp: Date.now(), key: null, value: Buffer.from(text), headers: [] })),
      { producerId: this.id, producerEpoch: 0, baseSequence: firstSequence },
    );
    wire.send(produce, 9, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name: this.#topic, partitionData: [{ index: this.partition, records: batch }] }],
    });
  }
}

/** Where Kafka's clients reach a broker. */
export function kafkaUrl(broker: BrokerProcess): string {
  return (JSON.parse(broker.stdout()) as { kafka: string[] }).kafka[0];
}

/** Every record of a partition: its offset, and its text. */
export async function recordsOf(url: string, topic: string, partition: number): Promise<[number, string][]> {
  const wire = await KafkaWire.open(url);
  const found: [number, string][] = [];
  for (let next = 0; ; ) {
    const { responses } = await wire.ask(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      topics: [{ topic, partitions: [{ partition, fetchOffset: next, partitionMaxBytes: 1e6 }] }],
    });
    const { errorCode, records: bytes, highWatermark } = responses[0].partitions[0];
    if (errorCode !== 0) throw new Error(`Fetch of ${topic} was answered with the error ${errorCode}`);
    const from = next;
    for (let at = 0; at < bytes!.length; ) {
      const header = parseBatchHeader(bytes!, at);
      at = header.end;
      // Of one without records too.
      next = header.lastOffset + 1;
      for (const { offset, value } of records(bytes!, header, 1e6)) {
        if (offset >= from) found.push([offset, Buffer.from(value!).toString()]);
      }
    }
    if (next >= highWatermark) break;
  }
  wire.close();
  return found;
}
