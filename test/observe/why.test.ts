import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import { type ShownFate, showFates, type WhyQuery } from '../../internal/admin/operations/why.ts';
import { adminSocketPath } from '../../internal/admin/socket-path.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch as fetchApi } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { getJson, post } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openStream, RawClient } from '../support/raw-client.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-why-'));
const clock = new MovableClock();
let broker: RunningBroker;
let basic: string;

beforeAll(async () => {
  const { password } = await makePassword('right');
  const usersFile = join(folder, 'users.yaml');
  writeFileSync(
    usersFile,
    `users:
  anna:
    password: ${password}
    groups: [admin]
rules:
  - { id: no-secrets, deny: [publish, subscribe], users: '*', topics: 'secret/#' }
  - { id: rest, allow: all, users: ['*', anonymous] }
`,
  );
  basic = `Basic ${Buffer.from('anna:right').toString('base64')}`;
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], dataDir: join(folder, 'data'), adminSocket: true, sysIntervalMs: 0 },
    ...{ usersFile, clock, maxMessageBytes: 10_000, maxClients: 20, connectTimeoutMs: 5_000 },
    ...{
      slowConsumerWaitMs: 100,
      channelSize: 10,
      channelBytes: 20_000,
      sessionQueue: 2,
      keep: [{ filter: 'kept/#' }],
    },
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    grpc: { listen: ['grpc://127.0.0.1:0'] },
    http: { listen: ['http://127.0.0.1:0'] },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

const url = (door: string) => urlOf(broker, door);

async function why(question: WhyQuery): Promise<readonly ShownFate[]> {
  const client = new AdminClient(socketTransport(adminSocketPath(join(folder, 'data'))));
  return (await client.call(showFates, question)).fates;
}

/** Waits until the last fate of a question is this one. */
function expectFate(question: WhyQuery, fate: Partial<ShownFate>): Promise<void> {
  return vi.waitFor(async () => expect((await why(question))[0]).toMatchObject(fate), PATIENCE);
}

const PATIENCE = { timeout: 20_000, interval: 20 };

const DENIED = {
  outcome: 'refused',
  code: 'not-authorized',
  topic: 'secret/x',
  rule: expect.stringContaining('rule 1, no-secrets'),
} as const;

async function frames(clientId: string, extensions = ''): Promise<RawClient> {
  const client = new RawClient(await openStream(url('frames')), clientId);
  client.send(FrameType.connect, '', extensions);
  await client.expect(FrameType.connack);
  return client;
}

describe('why tells of the frames door', () => {
  it('a message that was refused, and the connection that stayed', async () => {
    const client = await frames('f-refused', 'refusals');
    client.publish('secret/x', 'hello');
    await client.expect(FrameType.publishRefused);
    await expectFate({ client: 'f-refused' }, { ...DENIED, bytes: 5, door: 'frames' });
    client.send(FrameType.subscribe, 'secret/#');
    await client.expect(FrameType.subscribeRefused);
    await expectFate({ client: 'f-refused' }, { ...DENIED, topic: 'secret/#' });
  });

  it('a client that was disconnected, and one that broke off', async () => {
    const refused = await frames('f-ended');
    refused.publish('secret/x', 'hello');
    await expectFate({ client: 'f-ended' }, { ...DENIED, outcome: 'disconnected', door: 'frames' });
    const lost = await frames('f-lost');
    lost.stream.destroy();
    await expectFate({ client: 'f-lost' }, { outcome: 'lost', code: 'connection-lost', door: 'frames' });
  });

  it('a message that is too large', async () => {
    const client = await frames('f-large', 'refusals');
    client.publish('big', 'x'.repeat(20_000));
    await client.expect(FrameType.publishRefused);
    await expectFate({ client: 'f-large' }, { code: 'message-too-large', topic: 'big', bytes: 20_000 });
  });

  it('an older connection that was taken over', async () => {
    await frames('f-twice');
    await frames('f-twice');
    await expectFate({ client: 'f-twice' }, { outcome: 'disconnected', code: 'taken-over' });
  });

  it('a client that says nothing, and one that speaks something else', async () => {
    const silent = await openStream(url('frames'));
    clock.advance(10_000);
    await expectFate({ code: 'connect-timeout' }, { outcome: 'disconnected' });
    silent.destroy();
    const other = connect(Number(new URL(url('frames')).port), '127.0.0.1');
    other.on('error', () => {}).end('GET / HTTP/1.1\r\n\r\n');
    await expectFate({ code: 'unsupported-protocol' }, { outcome: 'disconnected', door: 'frames' });
  });

  it('messages that a slow subscriber lost, by topic and exactly', async () => {
    const slow = await frames('f-slow');
    await slow.subscribe('slow/#');
    slow.stream.pause();
    const publisher = await frames('f-quick');
    const large = 'x'.repeat(9_000);
    const lost = () => broker.stats()['messages_dropped_total{code="slow-consumer"}'] ?? 0;
    const before = lost();
    await vi.waitFor(() => {
      for (let n = 0; n < 50; n++) publisher.publish('slow/a', large);
      expect(lost()).toBeGreaterThan(before);
    }, PATIENCE);
    publisher.publish('slow/b', large);
    await publisher.ping();
    slow.stream.destroy();
    const dropped = (await why({ topic: 'slow/#', code: 'slow-consumer' })).map(
      ({ client, topic, outcome }) => ({
        client,
        topic,
        outcome,
      }),
    );
    expect(dropped).toEqual([
      { client: 'f-slow', topic: 'slow/b', outcome: 'dropped' },
      { client: 'f-slow', topic: 'slow/a', outcome: 'dropped' },
    ]);
    const counted = (await why({ client: 'f-slow', code: 'slow-consumer' })).reduce(
      (sum, { count }) => sum + count,
      0,
    );
    expect(counted).toBe(lost() - before);
  });
});

describe('why tells of the MQTT door', () => {
  const mqtt = (clientId: string, more: object = {}) => connectMqtt(url('frames'), 5, { clientId, ...more });

  it.each([0, 1, 2] as const)('a message of QoS %i that was refused', async (qos) => {
    const client = await mqtt(`m-${qos}`);
    client.publish('secret/x', 'hello', { qos });
    await expectFate({ client: `m-${qos}` }, { ...DENIED, bytes: 5, door: 'mqtt' });
    client.drop();
    await expectFate({ client: `m-${qos}` }, { outcome: 'lost' });
  });

  it('a subscription that was refused', async () => {
    const client = await mqtt('m-sub');
    await client.subscribe('secret/x').catch(() => {});
    await expectFate({ topic: 'secret/x', client: 'm-sub' }, DENIED);
  });

  it('a login that failed: whose, and what only the owner may know', async () => {
    const client = await openMqtt(url('frames'), 5);
    client.send({
      ...{ type: PacketType.connect, version: 5, cleanStart: true, keepAliveS: 0, clientId: 'm-guess' },
      ...{ properties: {}, userName: 'anna', password: Buffer.from('WRONG-SECRET') },
    } as never);
    await client.ended();
    await expectFate(
      { client: 'm-guess' },
      { outcome: 'disconnected', code: 'bad-credentials', user: 'anna', cause: expect.any(String) },
    );
    expect(JSON.stringify(await why({}))).not.toContain('WRONG-SECRET');
  });

  // A password lands in the field of the user by mistake, so a name that no user has is shown nowhere.
  it.each(['password', 'AUTH'])('a login by %s of nobody that there is, without the name', async (way) => {
    const client = await openMqtt(url('frames'), 5);
    const clientId = `m-nobody-${way}`;
    const shown =
      way === 'AUTH'
        ? {
            properties: {
              authenticationMethod: 'PLAIN',
              authenticationData: Buffer.from('\0MY-SECRET-NAME\0x'),
            },
          }
        : { properties: {}, userName: 'MY-SECRET-NAME', password: Buffer.from('x') };
    client.send({
      ...{ type: PacketType.connect, version: 5, cleanStart: true, keepAliveS: 0, clientId },
      ...shown,
    } as never);
    await client.ended();
    await expectFate({ client: clientId }, { outcome: 'disconnected', code: 'bad-credentials' });
    expect(JSON.stringify(await why({}))).not.toContain('MY-SECRET-NAME');
  });

  it('a message that expired in a session, one that its queue had no room for, and the end of the session', async () => {
    const session = { properties: { sessionExpiryIntervalS: 1_000 }, cleanStart: false };
    const away = await mqtt('m-away', session);
    await away.subscribe('due/#', 1);
    away.disconnect(0);
    await away.ended();
    const publisher = await mqtt('m-publisher');
    await publisher.publishSafely('due/soon', 'x', { properties: { messageExpiryIntervalS: 5 } } as never);
    await publisher.publishSafely('due/late', 'x');
    await publisher.publishSafely('due/full', 'x');
    await expectFate(
      { client: 'm-away' },
      { outcome: 'dropped', code: 'session-queue-full', topic: 'due/full' },
    );
    clock.advance(60_000);
    await expectFate(
      { topic: 'due/soon' },
      { outcome: 'expired', code: 'message-expired', client: 'm-away' },
    );
    clock.advance(2_000_000);
    await expectFate({ client: 'm-away' }, { outcome: 'ended', code: 'session-expired' });
  });
});

describe('why tells of the Kafka door', () => {
  const topicData = (name: string, records: Uint8Array) => ({
    ...{ acks: 1, timeoutMs: 1_000, transactionalId: null },
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  });

  it('records that were refused, by the rules and by what they are', async () => {
    const kafka = await KafkaWire.open(url('kafka'));
    await kafka.ask(produce, 8, topicData('secret.x', Buffer.alloc(70)), 'k-1');
    await expectFate({ client: 'k-1' }, { ...DENIED, door: 'kafka' });
    await kafka.ask(produce, 8, topicData('missing', Buffer.alloc(70)), 'k-1');
    await expectFate({ client: 'k-1' }, { code: 'unknown-topic', topic: 'missing', bytes: 70 });
    await kafka.ask(
      fetchApi,
      4,
      {
        ...{ replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 1_000, isolationLevel: 0 },
        topics: [
          { topic: 'secret.x', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }] },
        ],
      } as never,
      'k-2',
    );
    await expectFate({ client: 'k-2' }, DENIED);
    kafka.close();
  });

  it('a connection that was closed for what it sent', async () => {
    const kafka = await KafkaWire.open(url('kafka'));
    kafka.socket.write(Buffer.from('000000087fff000000000001', 'hex'));
    await kafka.closed;
    await expectFate({ code: 'unsupported-kafka-request' }, { outcome: 'disconnected', door: 'kafka' });
  });
});

it('why tells of the gRPC door a call that was refused, and a login that failed', async () => {
  const client = new TestClient(url('grpc'));
  await client.call('Produce', [{ topic: 'secret/x', message: Buffer.from('x') }], { authorization: basic })
    .ended;
  await expectFate({ topic: 'secret/x', user: 'anna' }, { ...DENIED, door: 'grpc' });
  await client.call('Produce', [{ topic: 'none', message: Buffer.from('x') }], {
    authorization: `Basic ${Buffer.from('anna:GRPC-SECRET').toString('base64')}`,
  }).ended;
  await expectFate({ user: 'anna', code: 'bad-credentials' }, { outcome: 'refused', door: 'grpc' });
  expect(JSON.stringify(await why({}))).not.toContain('GRPC-SECRET');
  client.close();
});

describe('why tells of the HTTP door', () => {
  it('a message that was refused, one that is too large, and a stream that may not be', async () => {
    await post(url('http'), 'secret/x?client=h-1', 'hello');
    await expectFate({ client: 'h-1' }, { ...DENIED, bytes: 5, door: 'http' });
    await post(url('http'), 'big?client=h-2', 'x'.repeat(20_000));
    await expectFate({ topic: 'big', code: 'message-too-large' }, { outcome: 'refused', bytes: 20_000 });
    const stream = await fetch(`${url('http')}/topics/secret/x?follow`);
    expect(stream.ok).toBe(false);
    await expectFate({ topic: 'secret/x' }, { ...DENIED, client: expect.stringMatching(/^http/) });
  });

  it('by itself: GET /why, for whoever may see the broker', async () => {
    const headers = { authorization: basic };
    const { fates } = await getJson<{ fates: ShownFate[] }>(`${url('http')}/why?client=h-1&limit=1`, {
      headers,
    });
    expect(fates).toMatchObject([{ ...DENIED, remedy: 'Ask whoever runs the broker for the permission.' }]);
  });
});

it('tinymq why says it in words and as JSON', async () => {
  const data = ['-data-dir', join(folder, 'data')];
  const { out, code } = await runTinymq(['why', 'h-1', ...data]);
  expect(code).toBe(0);
  expect(out).toContain('refused: not-authorized, 5 bytes\n  client h-1');
  expect(out).toContain('rule 1, no-secrets');
  expect(out).toContain('what to do: Ask whoever runs the broker for the permission.');
  expect(
    JSON.parse((await runTinymq(['why', 'secret/x', '-json', '-limit', '1', ...data])).out),
  ).toMatchObject([DENIED]);
  expect((await runTinymq(['why', 'never-seen', ...data])).out).toBe(
    "Nothing of 'never-seen' was refused, dropped, expired, throttled or disconnected lately.\n",
  );
  const nobody = await runTinymq(['why', '-data-dir', join(folder, 'nobody')]);
  expect([nobody.code, nobody.errors]).toEqual([1, expect.stringContaining('no broker runs with')]);
});
