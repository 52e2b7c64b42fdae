import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveUnderProduceCase } from '../../kafka-cases.ts';
import { latency } from '../latency.ts';
import { measure } from '../meter.ts';
import type { KafkaSetting, Scenario, Setting } from '../scenario.ts';
import { Producer } from './producer.ts';
import { createTopic } from './topic.ts';

const RUN_UP_MS = 300;

/** How long live messages are on their way: alone, and while a Kafka producer writes as fast as it can. */
export async function liveUnderProduce(
  chosen: LiveUnderProduceCase,
  { live, kafka }: { live: Setting; kafka: KafkaSetting },
): Promise<Scenario> {
  const { name, workload, messagesPerSecond, shape, inFlight } = chosen;
  const flow = await latency({ kind: 'latency', name, title: '', workload, messagesPerSecond }, live);
  await createTopic(kafka.kafkaPort, name);
  const producer = await Producer.open(kafka.kafkaPort, name, shape, inFlight);
  return {
    async round(seconds) {
      const quiet = await flow.round(seconds);
      producer.start();
      await sleep(RUN_UP_MS);
      const meter = measure(kafka.brokerPid, () => producer.acknowledgedRecords);
      const busy = await flow.round(seconds);
      const { messagesPerSecond: recordsPerSecond } = meter();
      await producer.stop();
      return {
        quietP50Us: quiet.p50Us,
        quietP99Us: quiet.p99Us,
        p50Us: busy.p50Us,
        p99Us: busy.p99Us,
        p99Times: busy.p99Us / quiet.p99Us,
        bytesPerSecond: recordsPerSecond * shape.recordBytes,
        lost: quiet.lost + busy.lost,
      };
    },
  };
}
