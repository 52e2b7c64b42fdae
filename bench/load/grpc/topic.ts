import { CreateTopicRequest, CreateTopicResponse } from '../../../internal/protocol/smq/smq.ts';
import type { GrpcClient } from './client.ts';
import { StreamProducer } from './stream-producer.ts';

export const TOPIC = 'sensors';

export async function createTopic(client: GrpcClient): Promise<void> {
  const types = { request: CreateTopicRequest, response: CreateTopicResponse };
  await client.call('CreateTopic', types, { topic: TOPIC });
}

/** Creates the topic, with so many messages. */
export async function fillTopic(
  port: number,
  client: GrpcClient,
  { messages, messageBytes }: { messages: number; messageBytes: number },
): Promise<void> {
  await createTopic(client);
  const producer = await StreamProducer.open(port, { topic: TOPIC, messageBytes, frames: 'full' });
  const lastOffset = await producer.produce(messages);
  producer.close();
  if (lastOffset !== messages) throw new Error(`the topic ends at ${lastOffset}, not at ${messages}`);
}
