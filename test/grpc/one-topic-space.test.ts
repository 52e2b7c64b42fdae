import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Client, connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { urlOf } from '../support/listeners.ts';
import { TestClient } from './grpc-client.ts';

/*
 * One topic space: what comes in by the gRPC door is seen by live subscribers, and what is published live is read by
 * SMQ's clients where a topic of that name exists.
 */

let broker: RunningBroker;
let smq: TestClient;
let live: Client;

beforeEach(async () => {
  broker = await startBroker({
    memory: true,
    listen: ['tcp://127.0.0.1:0'],
    grpc: { listen: ['tcp://127.0.0.1:0'] },
    channelSize: 10,
    slowConsumerWaitMs: 60_000,
  });
  smq = new TestClient(urlOf(broker, 'grpc'));
  live = await connect(urlOf(broker, 'frames'));
  await smq.unary('CreateTopic', { topic: 'house/kitchen' });
});
afterEach(async () => {
  smq.close();
  await live.close();
  await broker.close();
});

it('a message of SMQ reaches live subscribers', async () => {
  const subscription = await live.subscribe('house/#');
  await smq.unary('Produce', { topic: 'house/kitchen', message: Buffer.from('warm') });
  for await (const message of subscription) {
    expect([message.topic, Buffer.from(message.payload).toString()]).toEqual(['house/kitchen', 'warm']);
    break;
  }
});

it('a live message reaches those who follow its topic by SMQ', async () => {
  const follower = smq.call('StreamConsume', [{ topic: 'house.kitchen', offset: 0 }]);
  await live.publish('house/kitchen', 'cold');
  const [message] = await follower.received(1);
  expect(message).toMatchObject({ offset: 1n, message: new Uint8Array(Buffer.from('cold')) });
  follower.stream.close();
});
