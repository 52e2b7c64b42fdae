import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import { type ShownFate, showFates, type WhyQuery } from '../../internal/admin/operations/why.ts';
import { adminSocketPath } from '../../internal/admin/socket-path.ts';
import { buildBatch } from '../../internal/batch/build.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { freeReconnects } from '../../internal/limits/access.ts';
import { throttleRestMs } from '../../internal/limits/observe.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { post } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-throttled-'));
const clock = new MovableClock();
let broker: RunningBroker;

beforeAll(async () => {
  const { password } = await makePassword('right');
  const usersFile = join(folder, 'users.yaml');
  writeFileSync(
    usersFile,
    `users:
  anna: {password: ${password}}
rules:
  - {id: rest, allow: all, users: ['*', anonymous]}
limits:
  - {client: few, messagesInPerSecond: 5}
  - {client: narrow, bytesOutPerSecond: 1000}
  - {client: late, connectionsPerSecond: 1}
  - {user: anna, bytesInPerSecond: 1000}
`,
  );
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], dataDir: join(folder, 'data'), adminSocket: true, sysIntervalMs: 0 },
    ...{
      usersFile,
      clock,
      kafka: { listen: ['tcp://127.0.0.1:0'] },
      grpc: { listen: ['grpc://127.0.0.1:0'] },
    },
    http: { listen: ['http://127.0.0.1:0'] },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

const url = (door: string) => urlOf(broker, door);
const PATIENCE = { timeout: 20_000, interval: 20 };

async function why(question: WhyQuery): Promise<readonly ShownFate[]> {
  const client = new AdminClient(socketTransport(adminSocketPath(join(folder, 'data'))));
  return (await client.call(showFates, question)).fates;
}

function expectFate(question: WhyQuery, fate: Partial<ShownFate>): Promise<void> {
  return vi.waitFor(async () => expect((await why(question))[0]).toMatchObject(fate), PATIENCE);
}

const counted = (door: string, code: string) =>
  broker.stats()[`throttled_total{door="${door}",code="${code}"}`] ?? 0;

describe('why says which limit held a client up', () => {
  it.each(['frames', 'mqtt'] as const)('that publishes faster than it may (%s)', async (door) => {
    const client =
      door === 'frames'
        ? await connectRaw(url('frames'), 'few')
        : await connectMqtt(url('frames'), 5, { clientId: 'few' });
    const held = { outcome: 'throttled', code: 'rate-exceeded', rule: 'limit file-1', door } as const;
    for (let n = 0; n < 50; n++) client.publish('t', 'x');
    await expectFate({ client: 'few' }, { ...held, message: 'messagesInPerSecond: 5 are allowed', count: 1 });
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(counted(door, 'rate-exceeded')).toBeGreaterThan(3);
    }, PATIENCE);
    await expectFate({ client: 'few' }, { ...held, count: 1 });
    // It rests, and goes too fast again.
    await clock.advance(60_000 + throttleRestMs);
    for (let n = 0; n < 50; n++) client.publish('t', 'x');
    await expectFate({ client: 'few' }, { ...held, count: 2 });
    client.stream.destroy();
    await clock.advance(60_000 + throttleRestMs);
  });

  it('that is sent more than it may get', async () => {
    const subscriber = await connectMqtt(url('frames'), 5, { clientId: 'narrow' });
    await subscriber.subscribe('wide', 0);
    const publisher = await connectRaw(url('frames'), 'any');
    for (let n = 0; n < 20; n++) publisher.publish('wide', Buffer.alloc(1_000));
    await expectFate({ client: 'narrow' }, { outcome: 'throttled', rule: 'limit file-2', door: 'mqtt' });
    publisher.stream.destroy();
    subscriber.stream.destroy();
  });

  it('of Kafka, which is told to wait', async () => {
    const kafka = await KafkaWire.open(url('kafka'));
    const records = buildBatch(
      Array.from({ length: 50 }, () => ({ timestamp: 1, key: null, value: Buffer.alloc(9), headers: [] })),
      {},
    );
    const topicData = [{ name: 'log', partitionData: [{ index: 0, records }] }];
    const client = new TestClient(url('grpc'));
    await client.unary('CreateTopic', { topic: 'log' });
    client.close();
    const asked = { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData };
    expect((await kafka.ask(produce, 9, asked as never, 'few')).throttleTimeMs).toBeGreaterThan(0);
    await expectFate(
      { client: 'few' },
      { outcome: 'throttled', rule: 'limit file-1', door: 'kafka', count: 1 },
    );
    kafka.close();
  });

  it('of gRPC, by its user', async () => {
    const client = new TestClient(url('grpc'));
    const authorization = `Basic ${Buffer.from('anna:right').toString('base64')}`;
    // Its limits hold from the moment in which it has logged in.
    await client.call('Produce', [{ topic: 'log', message: Buffer.alloc(9) }], { authorization }).ended;
    const call = client.call('Produce', [{ topic: 'log', message: Buffer.alloc(9_000) }], { authorization });
    await expectFate({ user: 'anna' }, { outcome: 'throttled', rule: 'limit file-4', door: 'grpc' });
    await clock.advance(20_000);
    expect((await call.ended).status).toBe(0);
    client.close();
  });

  it('of HTTP, which is refused: that is told once', async () => {
    for (let n = 0; n < 10; n++) await post(url('http'), 't?client=few', 'x');
    await expectFate(
      { client: 'few' },
      { outcome: 'refused', code: 'rate-exceeded', rule: 'limit file-1', door: 'http' },
    );
    const [{ count } = { count: 0 }] = await why({ client: 'few', code: 'rate-exceeded' });
    expect(count).toBe(counted('http', 'rate-exceeded'));
    expect(await why({ client: 'few', code: 'rate-exceeded' })).not.toContainEqual(
      expect.objectContaining({ outcome: 'throttled', door: 'http' }),
    );
  });

  it('that connects too often, by a limit or in a loop', async () => {
    const waiting = await Promise.all([1, 2].map(() => openMqtt(url('frames'), 5)));
    for (const client of waiting) client.connect({ clientId: 'late' }).catch(() => {});
    const late = { outcome: 'throttled', code: 'connection-rate-exceeded' } as const;
    await expectFate(
      { client: 'late' },
      { ...late, rule: 'limit file-3', message: 'connectionsPerSecond: 1 are allowed' },
    );
    const loop = await Promise.all(
      Array.from({ length: freeReconnects + 200 }, () => openMqtt(url('frames'), 5)),
    );
    for (const client of loop) client.connect({ clientId: 'loop' }).catch(() => {});
    const inLoop = { ...late, message: '10 connections a second of one client are let in' };
    await vi.waitFor(
      async () => expect(await why({ client: 'loop' })).toContainEqual(expect.objectContaining(inLoop)),
      PATIENCE,
    );
    for (const client of [...waiting, ...loop]) client.stream.destroy();
  });
});
