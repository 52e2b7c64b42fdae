import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../../certs/make.ts';
import { type FakeApi, fakeApi, startFakeKafka } from '../../../test/support/fake-kafka.ts';
import { metadata } from '../../protocol/kafka/apis/03-metadata.ts';
import { findCoordinator } from '../../protocol/kafka/apis/10-find-coordinator.ts';
import { heartbeat } from '../../protocol/kafka/apis/12-heartbeat.ts';
import { listGroups } from '../../protocol/kafka/apis/16-list-groups.ts';
import type { ConnectionSettings } from '../socket.ts';
import { KafkaClient } from './client.ts';
import { KafkaRefusal } from './refusal.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-client-'));
afterAll(() => rmSync(folder, { recursive: true }));

const settings: ConnectionSettings = {
  clientId: 'me',
  softwareVersion: '1.2.3',
  tls: undefined,
  connectTimeoutMs: 20_000,
  requestTimeoutMs: 20_000,
  stop: new AbortController().signal,
};

async function connect(port: number, changes: Partial<ConnectionSettings> = {}) {
  const client = await KafkaClient.connect([{ host: '127.0.0.1', port }], { ...settings, ...changes });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** A cluster whose brokers have these ports, and ids from 1 on. */
function cluster(ports: () => number[], topics: unknown[] = []): FakeApi {
  return fakeApi(metadata, () => ({
    brokers: ports().map((port, index) => ({ nodeId: index + 1, host: '127.0.0.1', port })),
    controllerId: 1,
    topics: topics as never,
    errorCode: 0,
  }));
}

const groups = fakeApi(listGroups, () => ({
  errorCode: 0,
  groups: [{ groupId: 'g', protocolType: 'consumer', groupState: 'Stable', groupType: 'Classic' }],
}));

describe('a Kafka client', () => {
  it('asks with the newest version that both sides know', async () => {
    await using kafka = await startFakeKafka([{ ...groups, max: 2 }]);
    using client = await connect(kafka.port);
    const answer = await client.send(listGroups, {});
    expect(answer.groups).toEqual([
      { groupId: 'g', protocolType: 'consumer', groupState: '', groupType: '' },
    ]);
    expect(kafka.requests).toMatchObject([{ name: 'ListGroups', version: 2, clientId: 'me' }]);
  });

  it('finds out the versions of a broker that knows only the first one of ApiVersions', async () => {
    await using kafka = await startFakeKafka([groups], { apiVersionsMax: 0 });
    using client = await connect(kafka.port);
    expect((await client.send(listGroups, {})).errorCode).toBe(0);
  });

  it('does not send what the broker does not serve', async () => {
    await using kafka = await startFakeKafka([{ ...groups, min: 6, max: 9 }]);
    using client = await connect(kafka.port);
    const name = `127.0.0.1:${kafka.port}`;
    await expect(client.send(heartbeat, { groupId: 'g', generationId: 1, memberId: 'm' })).rejects.toThrow(
      `${name} does not serve Heartbeat`,
    );
    await expect(client.send(listGroups, {})).rejects.toThrow(
      `${name} serves versions 6 to 9 of ListGroups, this program knows 0 to 5`,
    );
  });

  it('matches answers with requests that were sent one behind the other', async () => {
    await using kafka = await startFakeKafka([
      fakeApi(heartbeat, ({ generationId }) => ({ errorCode: generationId })),
    ]);
    using client = await connect(kafka.port);
    const numbers = [...Array(50).keys()];
    const answers = numbers.map((generationId) =>
      client.send(heartbeat, { groupId: 'g', generationId, memberId: 'm' }),
    );
    expect((await Promise.all(answers)).map(({ errorCode }) => errorCode)).toEqual(numbers);
  });

  it('gives up where no answer comes', async () => {
    await using kafka = await startFakeKafka([fakeApi(listGroups, () => undefined)]);
    using client = await connect(kafka.port, { requestTimeoutMs: 50 });
    await expect(client.send(listGroups, {})).rejects.toThrow('did not answer ListGroups within 50 ms');
  });

  it('says that the connection broke to everybody who waits, and to everybody after that', async () => {
    await using kafka = await startFakeKafka([
      fakeApi(listGroups, () => {
        for (const socket of kafka.sockets) socket.destroy();
        return undefined;
      }),
    ]);
    using client = await connect(kafka.port);
    const both = await Promise.allSettled([client.send(listGroups, {}), client.send(listGroups, {})]);
    for (const outcome of both) expect(String((outcome as PromiseRejectedResult).reason)).toContain('closed');
    await expect(client.send(listGroups, {})).rejects.toThrow('closed');
  });

  it('says what a broker may want that hangs up before it served anything', async () => {
    await using kafka = await startFakeKafka([
      fakeApi(listGroups, () => {
        for (const socket of kafka.sockets) socket.destroy();
        return undefined;
      }),
    ]);
    using client = await connect(kafka.port);
    await expect(client.send(listGroups, {})).rejects.toThrow(
      'closed the connection without an answer: does it ask who you are (-user, -token-file)?',
    );
  });

  it('tries the addresses one after the other, and names all that failed', async () => {
    await using kafka = await startFakeKafka([groups]);
    const closed = await closedPort();
    const there = { host: '127.0.0.1', port: kafka.port };
    const nowhere = { host: '127.0.0.1', port: closed };
    const client = await KafkaClient.connect([nowhere, there], settings);
    client.close();
    await expect(KafkaClient.connect([nowhere, nowhere], settings)).rejects.toThrow(
      `cannot connect to 127.0.0.1:${closed}: connection refused; cannot connect`,
    );
  });

  it('ends with the reason of the stop, also while it connects', async () => {
    const controller = new AbortController();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connecting = connect(port, { stop: controller.signal, tls: {} });
    const reason = new Error('stopped');
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    server.close();
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'does not answer as a Kafka broker: it speaks HTTP'],
    ['an alert of TLS', '\x15\x03\x03\x00\x02\x02\x46', 'it speaks TLS: see the -tls flags'],
    ['an answer to something else', '\0\0\0\x04\0\0\0\x63', 'nothing was asked with number 99'],
    [
      'an answer that ends too early',
      '\0\0\0\x07\0\0\0\x01\0\0\0',
      'answers ApiVersions version 4 with what is none',
    ],
    [
      'nothing, and hangs up',
      '',
      'closed the connection at the first request: does it speak Kafka, and without TLS?',
    ],
  ])('says what it met where the server answers with %s', async (_, answer, message) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(Buffer.from(answer, 'latin1')));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await expect(connect((server.address() as AddressInfo).port)).rejects.toThrow(message);
    server.close();
  });

  it('speaks TLS, with a certificate of its own where it is asked for', async () => {
    const certificates = await makeCertificates(folder);
    const { readFileSync } = await import('node:fs');
    const [ca, cert, key, clientCert, clientKey] = [
      certificates.ca,
      certificates.serverCert,
      certificates.serverKey,
      certificates.clientCert,
      certificates.clientKey,
    ].map((file) => readFileSync(file));
    await using kafka = await startFakeKafka([groups], {
      tls: { ca, cert, key, requestCert: true, rejectUnauthorized: true },
    });
    using client = await connect(kafka.port, { tls: { ca, cert: clientCert, key: clientKey } });
    expect((await client.send(listGroups, {})).errorCode).toBe(0);
    await expect(connect(kafka.port, { tls: { ca } })).rejects.toThrow();
    await expect(connect(kafka.port)).rejects.toThrow();
  });
});

describe('a Kafka client of a cluster', () => {
  const coordinator = (nodeId: number) =>
    fakeApi(findCoordinator, ({ coordinatorKeys: [key] }) => ({
      errorCode: 0,
      coordinators: [{ key, nodeId, host: '127.0.0.1', port: 1, errorCode: 0, errorMessage: null }],
    }));

  it('asks the coordinator of a group', async () => {
    await using second = await startFakeKafka([groups]);
    await using first = await startFakeKafka([cluster(() => [first.port, second.port]), coordinator(2)]);
    using client = await connect(first.port);
    await client.sendToCoordinator('g', listGroups, {});
    expect(second.requests).toMatchObject([{ name: 'ListGroups' }]);
  });

  it('goes on by the only broker at the address that worked, whatever it calls itself', async () => {
    const elsewhere = await closedPort();
    await using kafka = await startFakeKafka([cluster(() => [elsewhere]), coordinator(1), groups]);
    using client = await connect(kafka.port);
    expect((await client.sendToCoordinator('g', listGroups, {})).errorCode).toBe(0);
    expect((await client.sendToController(listGroups, {})).errorCode).toBe(0);
  });

  it('asks again where Kafka is not ready, and not where it is a plain no', async () => {
    const codes = [15, 14, 0];
    await using kafka = await startFakeKafka([
      cluster(() => [kafka.port]),
      fakeApi(findCoordinator, ({ coordinatorKeys: [key] }) => ({
        errorCode: 0,
        coordinators: [
          { key, nodeId: 1, host: '', port: 0, errorCode: codes.shift() ?? 30, errorMessage: 'no\u001b[2J' },
        ],
      })),
    ]);
    using client = await connect(kafka.port);
    expect((await client.coordinatorOf('g')).nodeId).toBe(1);
    expect(codes).toEqual([]);
    const refusal = await client.coordinatorOf('g').catch((error) => error);
    expect(refusal).toBeInstanceOf(KafkaRefusal);
    expect(refusal.message).toBe(
      "group 'g': GROUP_AUTHORIZATION_FAILED: no\\x1b[2J (this client may not do that with the group)",
    );
  });

  it('says at once that a topic does not exist, unless it may come to be', async () => {
    let asked = 0;
    await using kafka = await startFakeKafka([
      fakeApi(metadata, ({ topics }) => ({
        brokers: [{ nodeId: 1, host: '127.0.0.1', port: 1 }],
        topics: topics!.map(({ name }) => ({ errorCode: ++asked < 4 ? 3 : 0, name, partitions: [] })),
      })),
    ]);
    using client = await connect(kafka.port);
    await expect(client.topic('a')).rejects.toThrow("topic 'a': UNKNOWN_TOPIC_OR_PARTITION");
    expect(asked).toBe(1);
    expect(await client.topic('a', true)).toMatchObject({ name: 'a', errorCode: 0 });
    expect(asked).toBe(4);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
