import { describe, expect, it } from 'vitest';
import WebSocket, { createWebSocketStream } from 'ws';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { useBroker } from './broker.ts';
import { RawMqtt } from './client.ts';

const broker = useBroker({ listen: ['ws://localhost:0'], maxMessageBytes: 4 * 1024 * 1024 });

async function openWebSocket(protocol: string): Promise<WebSocket> {
  const socket = new WebSocket(`${broker.url}/mqtt`, protocol);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

describe('MQTT over WebSocket', () => {
  it.each(['mqtt', 'mqttv3.1'])(
    'agrees to the subprotocol %s [MQTT-6.0.0-3] [MQTT-6.0.0-4]',
    async (protocol) => {
      const socket = await openWebSocket(protocol);
      expect(socket.protocol).toBe(protocol);
      const client = new RawMqtt(createWebSocketStream(socket), 4);
      await client.connect();
      await client.subscribe('ws', 1);
      await client.publishSafely('ws', 'x').catch(() => {});
      client.drop();
    },
  );

  it('is a stream of bytes: messages cut anywhere, empty ones too, many packets in one [MQTT-6.0.0-2]', async () => {
    const socket = await openWebSocket('mqtt');
    const client = new RawMqtt(createWebSocketStream(socket), 4);
    const bytes = Buffer.from('100d00044d5154540402003c000161c000c000', 'hex');
    socket.send(Buffer.alloc(0));
    for (let at = 0; at < 15; at += 3) {
      socket.send(bytes.subarray(at, Math.min(at + 3, 15)));
      socket.send(Buffer.alloc(0));
    }
    await client.next(PacketType.connack);
    socket.send(bytes.subarray(15));
    await client.next(PacketType.pingresp);
    await client.next(PacketType.pingresp);
    client.drop();
  });

  it('carries large messages both ways', async () => {
    const client = new RawMqtt(createWebSocketStream(await openWebSocket('mqtt')), 5);
    await client.connect();
    await client.subscribe('large', 0);
    const large = Buffer.alloc(4 * 1024 * 1024).map((_, index) => index % 253);
    for (let round = 0; round < 3; round++) {
      client.publish('large', large);
      expect(Buffer.compare((await client.message()).payload, large)).toBe(0);
    }
    client.drop();
  });

  it('takes binary messages only [MQTT-6.0.0-1]', async () => {
    const socket = await openWebSocket('mqtt');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send('text');
    expect(await closed).toBe(1003);
  });
});
