import { expect, it } from 'vitest';
import WebSocket, { createWebSocketStream } from 'ws';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { useBroker } from './broker.ts';
import { RawMqtt } from './client.ts';

const broker = useBroker({ listen: ['tcp://localhost:0', 'ws://localhost:0'] });
const COUNT = 50_000;

// A burst of QoS 0 to a page that was busy for half a second was lost but for its first hundred messages where publishers did
// not wait any more: the bound of 100 messages was there before that of 8 MiB, whatever their size.
it('a burst to a browser that does not read for a moment is not lost, though nobody waits for it', async () => {
  const page = await connectByWebSocket();
  await page.subscribe('burst');
  page.stream.pause();
  const publisher = await broker.connect(4);
  for (let index = 0; index < COUNT; index++) publisher.publish('burst', `${index}`);
  publisher.send({ type: PacketType.pingreq });
  await publisher.next(PacketType.pingresp);
  page.stream.resume();
  const payloads = (await page.messages(COUNT)).map(({ payload }) => Number(String(payload)));
  expect(payloads).toEqual(Array.from({ length: COUNT }, (_, index) => index));
  expect(broker.stat('messages_dropped_total')).toBe(0);
  expect(broker.stat('slow_consumer_episodes_total')).toBe(0);
  page.drop();
});

async function connectByWebSocket(): Promise<RawMqtt> {
  const socket = new WebSocket(`${broker.broker.listeners[1].url}/mqtt`, ['mqtt']);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const client = new RawMqtt(createWebSocketStream(socket), 4);
  await client.connect();
  return client;
}
