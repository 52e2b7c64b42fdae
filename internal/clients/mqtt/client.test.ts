import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ConnectionFailure, type ConnectionSettings } from '../socket.ts';
import { MqttClient } from './client.ts';

const ACCEPTED = Buffer.from([0x20, 3, 0, 0, 0]);
const NOT_AUTHORIZED = Buffer.from([0x20, 3, 0, 0x87, 0]);

const settings: ConnectionSettings = {
  ...{ clientId: 'me', softwareVersion: '1.2.3', tls: undefined, stop: new AbortController().signal },
  ...{ connectTimeoutMs: 20_000, requestTimeoutMs: 20_000 },
};

/** A server that answers whatever comes first with some bytes. */
async function serverThatSays(answer: Uint8Array) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).once('data', () => socket.write(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a client of MQTT', () => {
  it.each([
    ['a packet that there is not', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a packet that breaks off inside', Buffer.from([0x20, 1, 0])],
  ])('fails with a clear word where %s comes', async (_, bytes) => {
    await using server = await serverThatSays(bytes);
    const failed = MqttClient.connect(server.address, settings);
    await expect(failed).rejects.toThrow(/^127\.0\.0\.1:\d+ does not speak MQTT 5: /);
    await expect(failed).rejects.toBeInstanceOf(ConnectionFailure);
  });

  it('fails with the same word later on', async () => {
    await using server = await serverThatSays(ACCEPTED);
    const client = await MqttClient.connect(server.address, settings);
    server.sockets[0]!.write(Buffer.from([0x00, 0]));
    await expect(client.ended).rejects.toThrow(/does not speak MQTT 5/);
  });

  it('does not wait for ever for an answer', async () => {
    await using server = await serverThatSays(new Uint8Array());
    const failed = MqttClient.connect(server.address, { ...settings, requestTimeoutMs: 20 });
    await expect(failed).rejects.toThrow(/^no answer from 127\.0\.0\.1:\d+ within 20 ms$/);
  });

  it('closes the connection where it is refused', async () => {
    await using server = await serverThatSays(NOT_AUTHORIZED);
    const refused = MqttClient.connect(server.address, settings);
    await expect(refused).rejects.toThrow(/^the broker refuses the connection: /);
    await Promise.race(server.sockets.map((socket) => once(socket, 'close')));
  });
});
