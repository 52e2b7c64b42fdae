import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-kafka-tls-'));
const file = (name: string) => join(folder, name);

beforeAll(() => makeCertificates(folder));
afterAll(() => rmSync(folder, { recursive: true }));

function startTls(
  options: Pick<BrokerOptions, 'logger'> & { caFile?: string; advertised?: string } = {},
): Promise<RunningBroker> {
  return startBroker({
    kafka: { listen: ['tls://127.0.0.1:0'], advertised: options.advertised },
    tls: { certFile: file('server.crt'), keyFile: file('server.key'), caFile: options.caFile },
    memory: true,
    logger: options.logger,
  });
}

function open(broker: RunningBroker, options: ConnectionOptions = {}): KafkaWire {
  const port = Number(new URL(broker.url).port);
  const ca = readFileSync(file('ca.crt'));
  return KafkaWire.over(connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ...options }));
}

describe('the Kafka door over TLS', () => {
  it('tells the name that the client asked for, which is the one in the certificate', async () => {
    await using broker = await startTls();
    const wire = open(broker);
    const { brokers } = await wire.ask(metadata, 9, { topics: [] });
    expect(brokers).toMatchObject([{ host: 'localhost', port: Number(new URL(broker.url).port) }]);
    wire.close();
  });

  it('tells another address where one is configured', async () => {
    await using broker = await startTls({ advertised: 'kafka.example.com:9093' });
    const wire = open(broker);
    const { brokers } = await wire.ask(metadata, 9, { topics: [] });
    expect(brokers).toMatchObject([{ host: 'kafka.example.com', port: 9093 }]);
    wire.close();
  });

  it('lets in only who shows a certificate, where it asks for one', async () => {
    await using broker = await startTls({ caFile: file('ca.crt') });
    const stranger = open(broker);
    await expect(stranger.ask(metadata, 9, { topics: [] })).rejects.toThrow('no answer');
    const client = open(broker, {
      cert: readFileSync(file('client.crt')),
      key: readFileSync(file('client.key')),
    });
    expect((await client.ask(metadata, 9, { topics: [] })).brokers).toHaveLength(1);
    client.close();
  });

  // The log said "socket hang up" of it, and nothing else.
  it('says in the log that a certificate is of another CA', async () => {
    const others = await makeCertificates(file('others'));
    const reasons: unknown[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => reasons.push(fields) };
    await using broker = await startTls({ caFile: file('ca.crt'), logger });
    const stranger = open(broker, {
      cert: readFileSync(others.clientCert),
      key: readFileSync(others.clientKey),
    });
    await expect(stranger.ask(metadata, 9, { topics: [] })).rejects.toThrow('no answer');
    await vi.waitFor(() =>
      expect(reasons).toContainEqual(
        expect.objectContaining({
          reason: expect.stringMatching(/^the certificate of the client is not signed by the CA of -tls-ca/),
        }),
      ),
    );
  });

  it('has nothing for a client in the clear', async () => {
    await using broker = await startTls();
    const wire = await KafkaWire.open(broker.url);
    await expect(wire.ask(metadata, 9, { topics: [] })).rejects.toThrow('no answer');
  });
});
