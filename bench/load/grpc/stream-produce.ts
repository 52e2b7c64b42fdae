import { setTimeout as sleep } from 'node:timers/promises';
import type { GrpcStreamProduceCase } from '../../grpc-cases.ts';
import { measure } from '../meter.ts';
import type { GrpcSetting, Scenario } from '../scenario.ts';
import { GrpcClient } from './client.ts';
import { StreamProducer } from './stream-producer.ts';
import { createTopic, latestOffset, TOPIC } from './topic.ts';

/** One call as long as the round, measured from its beginning to its answer: then everything lasts. */
export async function grpcStreamProduce(
  { messageBytes, frames }: GrpcStreamProduceCase,
  { grpcPort, brokerPid }: GrpcSetting,
): Promise<Scenario> {
  const client = new GrpcClient(grpcPort);
  await createTopic(client);
  const producer = await StreamProducer.open(grpcPort, { topic: TOPIC, messageBytes, frames });
  return {
    async round(seconds) {
      const before = await latestOffset(client);
      let produced = 0;
      const meter = measure(brokerPid, () => produced);
      producer.start();
      await sleep(seconds * 1000);
      await producer.end();
      produced = (await latestOffset(client)) - before;
      const figures = meter();
      return { ...figures, lost: producer.sentMessages - produced };
    },
  };
}
