import { connect as connectTcp, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import WebSocket, { createWebSocketStream } from 'ws';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { type Packet, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { useBroker } from './broker.ts';
import { RawMqtt } from './client.ts';
import { connectBytes, subscribeBytes } from './test-doors.ts';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const broker = useBroker({
  listen: ['tcp://localhost:0', 'ws://localhost:0'],
  maxMessageBytes: MAX_MESSAGE_BYTES,
  slowConsumerWaitMs: 100,
});
const address = () => `${broker.broker.listeners[1].url}/mqtt`;

async function openWebSocket(protocols: string[] = ['mqtt']): Promise<WebSocket> {
  const socket = new WebSocket(address(), protocols);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

async function connectByWebSocket(version: Version): Promise<RawMqtt> {
  const client = new RawMqtt(createWebSocketStream(await openWebSocket()), version);
  await client.connect();
  return client;
}

function publishBytes(topic: string, payload: string, version: Version, more: object = {}): Uint8Array {
  const flags = { qos: 0, retain: false, dup: false, packetId: 0, properties: NO_PROPERTIES };
  const packet = { type: PacketType.publish, topic, payload: Buffer.from(payload), ...flags, ...more };
  return encodePacket(packet as Packet, version);
}

describe('the subprotocol', () => {
  it.each([
    [['mqtt'], 'mqtt'],
    [['mqttv3.1'], 'mqttv3.1'],
    [['chat', 'mqtt'], 'mqtt'],
    [['mqttv3.1', 'mqtt'], 'mqtt'],
    // The specification binds the client to offer it; one that does not is served all the same.
    [[], ''],
  ])('%j is answered with "%s" [MQTT-6.0.0-3] [MQTT-6.0.0-4]', async (offered, agreed) => {
    const socket = await openWebSocket(offered);
    expect(socket.protocol).toBe(agreed);
    const client = new RawMqtt(createWebSocketStream(socket), 4);
    await client.connect();
    await client.subscribe('ws', 1);
    client.publish('ws', 'x');
    expect(await client.texts(1)).toEqual(['ws x']);
    client.drop();
  });

  it('is not agreed to where only others are offered, which ends the attempt of a client that keeps to its own', async () => {
    await expect(openWebSocket(['chat'])).rejects.toThrow('Server sent no subprotocol');
  });
});

describe.each([4, 5] as const)(
  'MQTT %i in WebSocket messages is a stream of bytes [MQTT-6.0.0-2]',
  (version) => {
    it.each([1, 2, 3, 4])(
      'in messages of %i bytes, empty ones among them, and in fragments',
      async (size) => {
        const watcher = await broker.connect(5);
        await watcher.subscribe('cut/#', 2);
        const socket = await openWebSocket();
        const client = new RawMqtt(createWebSocketStream(socket), version);
        const send = (bytes: Uint8Array, fragments: boolean) => {
          for (let at = 0; at < bytes.length; at += size) {
            const isLast = at + size >= bytes.length;
            // A fragment of a message may be empty too.
            socket.send(Buffer.alloc(0), { fin: !fragments });
            socket.send(bytes.subarray(at, at + size), { fin: !fragments || isLast });
          }
        };
        send(connectBytes(version, `cut-${size}`, true), false);
        await client.next(PacketType.connack);
        send(subscribeBytes(version, 'cut/#', 2), true);
        await client.next(PacketType.suback);
        for (const fragments of [false, true]) {
          const packetId = fragments ? 2 : 1;
          send(publishBytes('cut/x', `${fragments}`, version, { qos: 2, packetId }), fragments);
          const came = [await client.any(), await client.any()];
          expect(came.map(({ type }) => type).sort()).toEqual([PacketType.publish, PacketType.pubrec]);
          const pubrel = {
            type: PacketType.pubrel,
            packetId,
            reasonCode: 0,
            properties: NO_PROPERTIES,
          } as const;
          send(encodePacket(pubrel, version), fragments);
          expect(await client.next(PacketType.pubcomp)).toMatchObject({ packetId });
        }
        expect(await watcher.texts(2)).toEqual(['cut/x false', 'cut/x true']);
        await client.expectSilence();
        client.drop();
      },
    );

    it('with very many packets in one message', async () => {
      const socket = await openWebSocket();
      const client = new RawMqtt(createWebSocketStream(socket), version);
      const count = 20_000;
      const messages = Array.from({ length: count }, (_, index) => publishBytes('many', `${index}`, version));
      const ping = Uint8Array.of(PacketType.pingreq << 4, 0);
      socket.send(
        Buffer.concat([
          connectBytes(version, 'many', true),
          subscribeBytes(version, 'many', 0),
          ...messages,
          ping,
        ]),
      );
      await client.next(PacketType.connack);
      await client.next(PacketType.suback);
      expect(await client.texts(count)).toEqual(Array.from({ length: count }, (_, index) => `many ${index}`));
      await client.next(PacketType.pingresp);
      client.drop();
    });
  },
);

describe('a text message [MQTT-6.0.0-1]', () => {
  it('ends the connection; what is behind it is not looked at, and the will is sent', async () => {
    const watcher = await broker.connect(5);
    await watcher.subscribe('text/#');
    const socket = await openWebSocket();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const client = new RawMqtt(createWebSocketStream(socket), 4);
    const will = {
      topic: 'text/will',
      payload: Buffer.from('x'),
      qos: 0,
      retain: false,
      properties: {},
    } as const;
    await client.connect({ will });
    socket.send(publishBytes('text/before', 'x', 4));
    socket.send('text');
    socket.send(publishBytes('text/behind', 'x', 4));
    expect(await closed).toBe(1003);
    expect(await watcher.texts(2)).toEqual(['text/before x', 'text/will x']);
    await watcher.expectSilence();
  });

  it('ends that of a client which does not answer the closing, too', async () => {
    const { socket, ended } = await upgradeByHand();
    // A text frame of one byte, with a mask of zeros.
    socket.write(Buffer.from('8181 00000000 78'.replaceAll(' ', ''), 'hex'));
    await ended;
  });
});

describe('large messages over WebSocket', () => {
  it('come to a reader that is slow, all of them, while others are served', async () => {
    const slow = await connectByWebSocket(5);
    await slow.subscribe('large', 1);
    const quick = await broker.connect(4);
    await quick.subscribe('large', 1);
    slow.stream.pause();
    const publisher = await broker.connect(5);
    const large = Buffer.alloc(MAX_MESSAGE_BYTES).map((_, index) => index % 253);
    const count = 2;
    for (let index = 0; index < count; index++) {
      publisher.publish('large', large, { qos: 1 });
      await publisher.next(PacketType.puback);
      expect(Buffer.compare((await quick.message()).payload, large)).toBe(0);
    }
    for (let ping = 0; ping < 50; ping++) await quick.expectSilence();
    slow.stream.resume();
    for (let index = 0; index < count; index++) {
      expect(Buffer.compare((await slow.message()).payload, large)).toBe(0);
    }
    await slow.expectSilence();
    slow.drop();
  });

  it('go the other way, cut as a browser cuts them', async () => {
    const client = await connectByWebSocket(4);
    await client.subscribe('large');
    const large = Buffer.alloc(MAX_MESSAGE_BYTES).map((_, index) => index % 251);
    client.publish('large', large);
    expect(Buffer.compare((await client.message()).payload, large)).toBe(0);
    await client.expectSilence();
    client.drop();
  });
});

/** A WebSocket of which nothing works but what a test writes. */
async function upgradeByHand(): Promise<{ socket: Socket; ended: Promise<void> }> {
  const { hostname, port, pathname } = new URL(address());
  const socket = connectTcp({ host: hostname, port: Number(port) });
  const ended = new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  socket.on('error', () => {});
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n',
  );
  await new Promise((resolve) => socket.once('data', resolve));
  return { socket, ended };
}
