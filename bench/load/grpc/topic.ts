import {
  CreateTopicRequest,
  CreateTopicResponse,
  GetLatestOffsetRequest,
  GetLatestOffsetResponse,
} from '../../../internal/protocol/smq/smq.ts';
import type { GrpcClient } from './client.ts';
import { StreamProducer } from './stream-producer.ts';

export const TOPIC = 'sensors';

export async function createTopic(client: GrpcClient): Promise<void> {
  const types = { request: CreateTopicRequest, response: CreateTopicResponse };
  await client.call('CreateTopic', types, { topic: TOPIC });
}

/** The offset of the newest message; 0 where there is none, which is an error for the original server. */
export async function latestOffset(client: GrpcClient): Promise<number> {
  const types = { request: GetLatestOffsetRequest, response: GetLatestOffsetResponse };
  try {
    return Number((await client.call('GetLatestOffset', types, { topic: TOPIC })).offset);
  } catch (error) {
    if ((error as Error).message.includes('topic is empty')) return 0;
    throw error;
  }
}

/** Creates the topic, with so many messages. */
export async function fillTopic(
  port: number,
  client: GrpcClient,
  { messages, messageBytes }: { messages: number; messageBytes: number },
): Promise<void> {
  await createTopic(client);
  const producer = await StreamProducer.open(port, { topic: TOPIC, messageBytes, frames: 'full' });
  await producer.produce(messages);
  producer.close();
  const lastOffset = await latestOffset(client);
  if (lastOffset !== messages) throw new Error(`the topic ends at ${lastOffset}, not at ${messages}`);
}
