import { setTimeout as sleep } from 'node:timers/promises';
import type { GrpcStreamProduceCase } from '../../grpc-cases.ts';
import { measure } from '../meter.ts';
import type { GrpcSetting, Scenario } from '../scenario.ts';
import { GrpcClient } from './client.ts';
import { StreamProducer } from './stream-producer.ts';
import { createTopic, TOPIC } from './topic.ts';

/** One call as long as the round, measured from its beginning to its answer: then everything lasts. */
export async function grpcStreamProduce(
  { messageBytes, frames }: GrpcStreamProduceCase,
  { grpcPort, brokerPid }: GrpcSetting,
): Promise<Scenario> {
  const client = new GrpcClient(grpcPort);
  await createTopic(client);
  const producer = await StreamProducer.open(grpcPort, { topic: TOPIC, messageBytes, frames });
  let lastOffset = 0;
  return {
    async round(seconds) {
      let produced = 0;
      const meter = measure(brokerPid, () => produced);
      producer.start();
      await sleep(seconds * 1000);
      const offset = await producer.end();
      produced = offset - lastOffset;
      const figures = meter();
      lastOffset = offset;
      return { ...figures, lost: producer.sentMessages - produced };
    },
  };
}
