import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaFetchCase } from '../../kafka-cases.ts';
import { residentBytes } from '../../processes.ts';
import { measure } from '../meter.ts';
import type { KafkaSetting, Scenario } from '../scenario.ts';
import { Reader } from './reader.ts';
import { fillTopic } from './topic.ts';

const RUN_UP_MS = 200;

/** Several readers of one topic, each over and over from its beginning to its end. */
export async function kafkaFetch(
  { name, shape, logBytes, readers: readerCount }: KafkaFetchCase,
  { kafkaPort, brokerPid }: KafkaSetting,
): Promise<Scenario> {
  const filled = await fillTopic(kafkaPort, name, shape, logBytes);
  const readers = await Promise.all(
    Array.from({ length: readerCount }, () => Reader.open(kafkaPort, name, filled)),
  );
  const received = (): number => readers.reduce((sum, { receivedRecords }) => sum + receivedRecords, 0);
  return {
    async round(seconds) {
      for (const reader of readers) reader.start();
      await sleep(RUN_UP_MS);
      const meter = measure(brokerPid, received);
      await sleep(seconds * 1000);
      const figures = meter();
      await Promise.all(readers.map((reader) => reader.stop()));
      return {
        ...figures,
        bytesPerSecond: figures.messagesPerSecond * shape.recordBytes,
        residentBytes: residentBytes(brokerPid),
      };
    },
  };
}
