import { performance } from 'node:perf_hooks';
import type { KafkaManyPartitionsCase } from '../../kafka-cases.ts';
import { cpuSeconds, residentBytes } from '../../processes.ts';
import { percentile } from '../../stats.ts';
import { BURSTS_PER_SECOND, burstsInTime } from '../pace.ts';
import type { KafkaSetting, Scenario } from '../scenario.ts';
import { KafkaConnection } from './connection.ts';
import { produceRequests } from './requests.ts';
import { createTopic } from './topic.ts';

/** What is under way at the end of a round is waited for so long. */
const LAST_ANSWERS_MS = 20_000;

/** One record a second for each partition, from producers that have some partitions each: how long until each is acknowledged. */
export async function kafkaManyPartitions(
  { name, recordBytes, partitions, producers: count }: KafkaManyPartitionsCase,
  { kafkaPort, brokerPid }: KafkaSetting,
): Promise<Scenario> {
  await createTopic(kafkaPort, name, partitions);
  const producers = await Promise.all(
    Array.from({ length: count }, () => LoneProducer.open(kafkaPort, name, recordBytes)),
  );
  return {
    async round(seconds) {
      for (const producer of producers) producer.tookMs.length = 0;
      const beganCpuSeconds = cpuSeconds(brokerPid);
      let sent = 0;
      let owed = 0;
      await burstsInTime(seconds, () => {
        owed += partitions / BURSTS_PER_SECOND;
        for (; owed >= 1; owed--) {
          const partition = sent++ % partitions;
          producers[partition % count]!.send(partition);
        }
      });
      await untilAnswered(producers);
      const brokerCpuSeconds = cpuSeconds(brokerPid) - beganCpuSeconds;
      const tookMs = producers.flatMap((producer) => producer.tookMs).sort((a, b) => a - b);
      return {
        messagesPerSecond: sent / seconds,
        brokerCpuNs: (brokerCpuSeconds * 1e9) / sent,
        acknowledgedP50Us: percentile(tookMs, 0.5) * 1000,
        acknowledgedP99Us: percentile(tookMs, 0.99) * 1000,
        residentBytes: residentBytes(brokerPid),
      };
    },
  };
}

/** Sends records when it is told to, whatever is under way, and takes the time of each. */
class LoneProducer {
  readonly tookMs: number[] = [];
  readonly #connection: KafkaConnection;
  readonly #requests: ReturnType<typeof produceRequests>;
  readonly #sentAtMs: number[] = [];
  #problem: string | undefined;

  private constructor(connection: KafkaConnection, requests: ReturnType<typeof produceRequests>) {
    this.#connection = connection;
    this.#requests = requests;
    connection.onAnswer = (_size, head) => {
      this.tookMs.push(performance.now() - this.#sentAtMs.shift()!);
      const errorCode = head.readInt16BE(requests.errorCodeAt);
      if (errorCode !== 0) this.#problem ??= `a record was refused with error ${errorCode}`;
    };
    connection.onEnd = (reason) => {
      this.#problem ??= reason;
    };
  }

  static async open(port: number, topic: string, recordBytes: number): Promise<LoneProducer> {
    const requests = produceRequests(topic, { recordBytes, batchBytes: 0 });
    return new LoneProducer(await KafkaConnection.open(port), requests);
  }

  send(partition: number): void {
    const { bytes, requestBytes, partitionAt } = this.#requests;
    const request = Buffer.from(bytes.subarray(0, requestBytes));
    request.writeInt32BE(partition, partitionAt);
    this.#sentAtMs.push(performance.now());
    this.#connection.write(request);
  }

  /** @throws Error where a record was refused, or the connection ended. */
  get isAnswered(): boolean {
    if (this.#problem !== undefined) throw new Error(this.#problem);
    return this.#sentAtMs.length === 0;
  }
}

async function untilAnswered(producers: readonly LoneProducer[]): Promise<void> {
  const deadlineMs = performance.now() + LAST_ANSWERS_MS;
  while (!producers.every(({ isAnswered }) => isAnswered)) {
    if (performance.now() > deadlineMs) throw new Error('records are not acknowledged any more');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
