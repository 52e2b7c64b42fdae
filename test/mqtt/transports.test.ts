import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { openStream } from '../support/raw-client.ts';
import { RawMqtt } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-mqtt-'));
const MAX_MESSAGE_BYTES = 1024 * 1024;
let certificates: CertificateSet;

beforeAll(async () => {
  certificates = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Way {
  name: string;
  options(): BrokerOptions;
  tls?(): ConnectionOptions;
}

const serverTls = () => ({ certFile: certificates.serverCert, keyFile: certificates.serverKey });
const trusting = () => ({ ca: readFileSync(certificates.ca), servername: 'localhost' });
const identified = () => ({
  ...trusting(),
  cert: readFileSync(certificates.clientCert),
  key: readFileSync(certificates.clientKey),
});

const WAYS: Way[] = [
  { name: 'tcp', options: () => ({ listen: ['tcp://localhost:0'] }) },
  { name: 'tls', options: () => ({ listen: ['tls://localhost:0'], tls: serverTls() }), tls: trusting },
  {
    name: 'mutual tls',
    options: () => ({ listen: ['tls://localhost:0'], tls: { ...serverTls(), caFile: certificates.ca } }),
    tls: identified,
  },
  { name: 'unix socket', options: () => ({ listen: [`unix://${join(folder, 'mqtt.sock')}`] }) },
  { name: 'websocket', options: () => ({ listen: ['ws://localhost:0'] }) },
  {
    name: 'websocket over tls',
    options: () => ({ listen: ['wss://localhost:0'], tls: serverTls() }),
    tls: trusting,
  },
];

describe.each(WAYS)('MQTT over $name', ({ options, tls }) => {
  let broker: RunningBroker;

  beforeAll(async () => {
    broker = await startBroker({ maxMessageBytes: MAX_MESSAGE_BYTES, ...options() });
    return () => broker.close();
  });

  async function connect(version: 4 | 5): Promise<RawMqtt> {
    const client = new RawMqtt(await openStream(broker.url, tls?.()), version);
    await client.connect();
    return client;
  }

  it.each([4, 5] as const)('delivers in order, every QoS and size, version %i', async (version) => {
    const subscriber = await connect(version);
    await subscriber.subscribe('w/#', 2);
    const publisher = await connect(version);
    const sizes = [0, 1, 100, 5_000, 100_000, MAX_MESSAGE_BYTES];
    for (const qos of [0, 1, 2] as const) {
      for (const size of sizes) {
        if (qos === 0) publisher.publish(`w/${size}`, 'x'.repeat(size));
        else await publisher.publishSafely(`w/${size}`, 'x'.repeat(size), { qos });
      }
      const messages = await subscriber.messages(sizes.length);
      expect(messages.map(({ topic, payload }) => [topic, payload.length])).toEqual(
        sizes.map((size) => [`w/${size}`, size]),
      );
    }
    for (const client of [subscriber, publisher]) client.drop();
  });

  it('tells why it ends a connection', async () => {
    const client = await connect(5);
    client.publish('a', Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    const { properties } = await client.next(PacketType.disconnect);
    expect(properties.reasonString).toMatch(/^message-too-large: /);
    await client.ended();
  });
});
