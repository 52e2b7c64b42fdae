import { performance } from 'node:perf_hooks';
import type { KafkaLatencyCase } from '../../kafka-cases.ts';
import { residentBytes } from '../../processes.ts';
import { percentile } from '../../stats.ts';
import type { KafkaSetting, Scenario } from '../scenario.ts';
import { KafkaConnection } from './connection.ts';
import { fetchRequest, produceRequests } from './requests.ts';
import { createTopic } from './topic.ts';

/** The broker has nothing to do for so long before each record, and the consumer's request waits there. */
const PAUSE_MS = 1;
const MAX_WAIT_MS = 500;
const FETCH_BYTES = 1024 * 1024;
const ARRIVAL_TIMEOUT_MS = 20_000;

/**
 * One record at a time: how long until its producer has the acknowledgement, and until a consumer has it that
 * waits for it. Nothing waits for timers, which come up to a millisecond late.
 */
export async function kafkaLatency(
  { name, recordBytes }: KafkaLatencyCase,
  { kafkaPort, brokerPid }: KafkaSetting,
): Promise<Scenario> {
  await createTopic(kafkaPort, name);
  const produce = produceRequests(name, { recordBytes, batchBytes: 0 });
  const fetch = fetchRequest(name, { maxBytes: FETCH_BYTES, maxWaitMs: MAX_WAIT_MS });
  const producer = await KafkaConnection.open(kafkaPort);
  const consumer = await KafkaConnection.open(kafkaPort);
  let problem: string | undefined;
  let acknowledgedAtMs: number | undefined;
  let arrivedAtMs: number | undefined;
  let offset = 0;
  const fetchNext = (): void => {
    fetch.setOffset(offset);
    consumer.write(fetch.bytes);
  };
  producer.onAnswer = (_size, head) => {
    acknowledgedAtMs = performance.now();
    const errorCode = head.readInt16BE(produce.errorCodeAt);
    if (errorCode !== 0) problem ??= `a record was refused with error ${errorCode}`;
  };
  consumer.onAnswer = (_size, head) => {
    const errorCode = head.readInt16BE(fetch.errorCodeAt);
    if (errorCode !== 0) problem ??= `a fetch was refused with error ${errorCode}`;
    // Nothing: the wait is over, and the next one begins.
    if (head.readInt32BE(fetch.recordsLengthAt) > 0) {
      arrivedAtMs = performance.now();
      offset++;
    }
    if (problem === undefined) fetchNext();
  };
  for (const connection of [producer, consumer]) connection.onEnd = (reason) => (problem ??= reason);
  fetchNext();

  return {
    async round(seconds) {
      const acknowledged: number[] = [];
      const arrived: number[] = [];
      const endMs = performance.now() + seconds * 1000;
      for (let next = 0; performance.now() < endMs; next = (next + 1) % produce.count) {
        await spinUntil(performance.now() + PAUSE_MS);
        acknowledgedAtMs = undefined;
        arrivedAtMs = undefined;
        const sentAtMs = performance.now();
        producer.write(
          produce.bytes.subarray(next * produce.requestBytes, (next + 1) * produce.requestBytes),
        );
        while (acknowledgedAtMs === undefined || arrivedAtMs === undefined) {
          if (problem !== undefined) throw new Error(problem);
          if (performance.now() > sentAtMs + ARRIVAL_TIMEOUT_MS) throw new Error('a record did not arrive');
          await turn();
        }
        acknowledged.push(acknowledgedAtMs - sentAtMs);
        arrived.push(arrivedAtMs - sentAtMs);
      }
      acknowledged.sort((a, b) => a - b);
      arrived.sort((a, b) => a - b);
      return {
        acknowledgedP50Us: percentile(acknowledged, 0.5) * 1000,
        acknowledgedP99Us: percentile(acknowledged, 0.99) * 1000,
        arrivedP50Us: percentile(arrived, 0.5) * 1000,
        arrivedP99Us: percentile(arrived, 0.99) * 1000,
        residentBytes: residentBytes(brokerPid),
      };
    },
  };
}

async function spinUntil(timeMs: number): Promise<void> {
  while (performance.now() < timeMs) await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
