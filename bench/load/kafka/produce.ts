import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaProduceCase } from '../../kafka-cases.ts';
import { residentBytes } from '../../processes.ts';
import { measure } from '../meter.ts';
import type { KafkaSetting, Scenario } from '../scenario.ts';
import { Producer } from './producer.ts';
import { createTopic } from './topic.ts';

/** Until the window is full and everybody is at speed, at the beginning of each round. */
const RUN_UP_MS = 200;

/** Prebuilt requests over one connection, as fast as they are acknowledged. */
export async function kafkaProduce(
  { name, shape, inFlight }: KafkaProduceCase,
  { kafkaPort, brokerPid }: KafkaSetting,
): Promise<Scenario> {
  await createTopic(kafkaPort, name);
  const producer = await Producer.open(kafkaPort, name, shape, inFlight);
  return {
    async round(seconds) {
      producer.start();
      await sleep(RUN_UP_MS);
      const meter = measure(brokerPid, () => producer.acknowledgedRecords);
      await sleep(seconds * 1000);
      const figures = meter();
      await producer.stop();
      return {
        ...figures,
        bytesPerSecond: figures.messagesPerSecond * shape.recordBytes,
        residentBytes: residentBytes(brokerPid),
      };
    },
  };
}
