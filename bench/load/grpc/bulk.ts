import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { BulkRetrieveRequest } from '../../../internal/protocol/smq/smq.ts';
import type { GrpcBulkCase } from '../../grpc-cases.ts';
import { measure } from '../meter.ts';
import type { GrpcSetting, Scenario } from '../scenario.ts';
import { GrpcClient } from './client.ts';
import { fillTopic, TOPIC } from './topic.ts';

/** One call after the other, each for the messages behind those of the call before. */
export async function grpcBulk(
  { messages, messageBytes, limit }: GrpcBulkCase,
  { grpcPort, brokerPid }: GrpcSetting,
): Promise<Scenario> {
  const client = new GrpcClient(grpcPort);
  await fillTopic(grpcPort, client, { messages, messageBytes });
  let retrieved = 0;
  let startOffset = 0;

  async function retrieve(): Promise<void> {
    const request = encodeEnveloped(BulkRetrieveRequest, { topic: TOPIC, startOffset, limit });
    const answer = await client.callRaw('BulkRetrieve', request);
    const bytes = answer.reduce((sum, { length }) => sum + length, 0);
    if (bytes < limit * messageBytes) throw new Error(`a response had ${bytes} bytes only`);
    retrieved += limit;
    startOffset = (startOffset + limit) % messages;
  }

  return {
    async round(seconds) {
      const endMs = performance.now() + seconds * 1000;
      const meter = measure(brokerPid, () => retrieved);
      while (performance.now() < endMs) await retrieve();
      return meter();
    },
  };
}
