import { afterEach, beforeEach, expect, it } from 'vitest';
import { DOORS } from '../../internal/doors/all.ts';
import { BrokerError } from '../../internal/errors.ts';
import type { Connections, OpenConnection } from '../../internal/observe/connections.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { type RunningBroker, startWithDoors } from '../../internal/server/start-broker.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { changeablePolicy } from '../support/access.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';

const refused = new Set<string>();
const policy = changeablePolicy((action, _, { door }) =>
  refused.has(`${action} ${door}`) ? 'not for you' : undefined,
);

let connections: Connections;
let broker: RunningBroker;
let frames: RawClient;
let mqtt: RawMqtt;
let kafka: KafkaWire;
let grpc: TestClient;

beforeEach(async () => {
  const listen = ['tcp://127.0.0.1:0'];
  const watched = DOORS.map((entry) => ({
    ...entry,
    open: (...[parts, options]: Parameters<typeof entry.open>) => {
      ({ connections } = parts);
      return entry.open(parts, options);
    },
  }));
  broker = await startWithDoors(watched, {
    listen,
    kafka: { listen },
    grpc: { listen },
    memory: true,
    policy,
  });
  frames = await connectRaw(urlOf(broker, 'frames'), 'fred');
  mqtt = await connectMqtt(urlOf(broker, 'frames'), 5, { clientId: 'mia' });
  kafka = await KafkaWire.open(urlOf(broker, 'kafka'));
  await kafka.ask(apiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' });
  grpc = new TestClient(urlOf(broker, 'grpc'));
  await grpc.call('Connect', [{}]).ended;
});

afterEach(async () => {
  refused.clear();
  grpc.close();
  await broker.close();
});

const byDoor = (door: string): OpenConnection => [...connections].find((each) => each.door === door)!;
const counted = () =>
  ['frames', 'mqtt', 'kafka', 'grpc'].map((name) => broker.stats()[`connections{door="${name}"}`]);

it('of every door are in one list, with who they are and what went over them', async () => {
  expect([...connections].map(({ door }) => door).sort()).toEqual(['frames', 'grpc', 'kafka', 'mqtt']);
  expect(counted()).toEqual([1, 1, 1, 1]);
  frames.send(FrameType.subscribe, 'a/#');
  await frames.expect(FrameType.suback);
  await mqtt.publishSafely('a/b', 'one', { qos: 1 });
  mqtt.publish('a/b', 'two');
  await frames.expect(FrameType.publish);
  await frames.expect(FrameType.publish);
  for (const connection of connections) {
    const facts = connection.facts();
    expect(facts.listener).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(facts.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(Math.abs(Date.now() - facts.sinceMs)).toBeLessThan(60_000);
    expect(Math.min(facts.receivedBytes, facts.sentBytes)).toBeGreaterThan(0);
  }
  expect(byDoor('frames').facts()).toMatchObject({ clientId: 'fred', received: 0, sent: 2, waiting: 0 });
  expect(byDoor('mqtt').facts()).toMatchObject({ clientId: 'mia', received: 2, sent: 0 });
  expect(byDoor('kafka').facts()).toMatchObject({ received: 0, sent: 0, requests: 1 });
  expect(byDoor('grpc').facts()).toMatchObject({ received: 0, sent: 0, requests: 1, waiting: 0 });
});

it('can be ended, each with the words of its protocol, and are in the list no more', async () => {
  const reason = new BrokerError('not-authorized', 'an operator ended it');
  for (const connection of [...connections]) connection.end(reason);
  const { payload } = await frames.expect(FrameType.disconnect);
  expect(Buffer.from(payload).toString()).toMatch(/^not-authorized: .*an operator ended it/);
  await Promise.all([mqtt.ended(), kafka.closed]);
  frames.stream.destroy();
  mqtt.drop();
  await expect.poll(counted).toEqual([0, 0, 0, 0]);
  expect([...connections]).toEqual([]);
});

it('are ended when a change of the rules lets their client in no more; those of gRPC hear it with each call', async () => {
  for (const { name } of DOORS) refused.add(`connect ${name}`);
  policy.change();
  await frames.expect(FrameType.disconnect);
  await Promise.all([mqtt.ended(), kafka.closed]);
  // Who has shown nothing may show something.
  expect(await grpc.call('Connect', [{}]).ended).toMatchObject({ status: Status.UNAUTHENTICATED });
  frames.stream.destroy();
  mqtt.drop();
  await expect.poll(counted).toEqual([0, 0, 0, 1]);
});
