import { constants } from 'node:http2';
import { MessageReader } from '../../../internal/protocol/grpc/envelope.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { ConsumeRequest } from '../../../internal/protocol/smq/smq.ts';
import type { GrpcStreamConsumeCase } from '../../grpc-cases.ts';
import { measure } from '../meter.ts';
import type { GrpcSetting, Scenario } from '../scenario.ts';
import { GrpcClient, rejectOnFailure } from './client.ts';
import { fillTopic, TOPIC } from './topic.ts';

const FIRST_OFFSET = 1;

/** One call after the other, each from the first message to the last, where the client cancels it. */
export async function grpcStreamConsume(
  { messages, messageBytes }: GrpcStreamConsumeCase,
  { grpcPort, brokerPid }: GrpcSetting,
): Promise<Scenario> {
  const client = new GrpcClient(grpcPort);
  await fillTopic(grpcPort, client, { messages, messageBytes });
  const request = encodeEnveloped(ConsumeRequest, { topic: TOPIC, offset: FIRST_OFFSET });
  let consumed = 0;

  function consumeAll(): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = messages;
      const stream = client.open('StreamConsume');
      const reader = new MessageReader(messageBytes * 2, () => left--);
      rejectOnFailure(stream, reject);
      stream.on('data', (chunk: Uint8Array) => {
        const before = left;
        reader.push(chunk);
        consumed += before - left;
        if (left > 0) return;
        resolve();
        stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.end(request);
    });
  }

  return {
    async round(seconds) {
      const endMs = performance.now() + seconds * 1000;
      const meter = measure(brokerPid, () => consumed);
      while (performance.now() < endMs) await consumeAll();
      return meter();
    },
  };
}
