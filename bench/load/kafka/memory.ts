import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaMemoryCase } from '../../kafka-cases.ts';
import { residentBytes } from '../../processes.ts';
import type { KafkaSetting, Scenario } from '../scenario.ts';
import { Producer } from './producer.ts';
import { Reader } from './reader.ts';
import { createTopic, fillTopic } from './topic.ts';

/** For what was needed only for a while to be given back. */
const SETTLE_MS = 2_000;
const IN_FLIGHT = 5;
const SINGLES_IN_FLIGHT = 64;
const READERS = 2;

/** The broker's memory at rest, and after it was written to and read from in every way. */
export async function kafkaMemory(
  { name, shapes, logBytes }: KafkaMemoryCase,
  { kafkaPort, brokerPid }: KafkaSetting,
): Promise<Scenario> {
  return {
    async round(seconds) {
      await sleep(SETTLE_MS);
      const residentBytesIdle = residentBytes(brokerPid);
      for (const [index, shape] of shapes.entries()) {
        const topic = `${name}-${index}`;
        const filled = await fillTopic(kafkaPort, topic, shape, logBytes);
        const readers = await Promise.all(
          Array.from({ length: READERS }, () => Reader.open(kafkaPort, topic, filled)),
        );
        for (const reader of readers) reader.start();
        const producer = await Producer.open(kafkaPort, topic, shape, IN_FLIGHT);
        producer.start();
        await sleep(seconds * 1000);
        await Promise.all([...readers, producer].map((client) => client.stop()));
        for (const client of [...readers, producer]) client.close();
      }
      await createTopic(kafkaPort, name);
      const singles = { recordBytes: shapes[0].recordBytes, batchBytes: 0 };
      const producer = await Producer.open(kafkaPort, name, singles, SINGLES_IN_FLIGHT);
      producer.start();
      await sleep(seconds * 1000);
      await producer.stop();
      producer.close();
      const residentBytesAfter = residentBytes(brokerPid);
      await sleep(SETTLE_MS);
      return { residentBytesIdle, residentBytesAfter, residentBytesSettled: residentBytes(brokerPid) };
    },
  };
}
