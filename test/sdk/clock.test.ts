import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { connect, type Message } from '../../pkg/client/index.ts';
import { MovableClock, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { openStream } from '../support/raw-client.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let clock: MovableClock;
let broker: RunningBroker | undefined;

afterEach(async () => {
  await broker?.close();
});

async function started(options: Parameters<typeof startBroker>[0] = {}): Promise<string> {
  clock = new MovableClock(Date.UTC(2030, 0, 1));
  broker = await startBroker({
    listen: ['tcp://localhost:0'],
    memory: true,
    sysIntervalMs: 0,
    clock,
    ...options,
  });
  return broker.url;
}

it('moved on makes sessions expire whose clients are away, and publishes their wills at their time', async () => {
  const url = await started();
  const will = { topic: 'wills/a', payload: Buffer.from('gone'), qos: 0, retain: false } as const;
  const watcher = await connect(url);
  const told: string[] = [];
  await watcher.subscribe('wills/#', (message) => told.push(message.text()));
  const leaving = await connectMqtt(url, 5, {
    clientId: 'leaving',
    properties: { sessionExpiryIntervalS: 3_600 },
    will: { ...will, properties: { willDelayIntervalS: 600 } },
  });
  leaving.drop();
  await expect.poll(() => broker!.stats().clients).toBe(1);

  await clock.advance(9 * MINUTE_MS);
  await watcher.ping();
  // The watcher acknowledges nothing, and has none.
  expect([told, broker!.stats().sessions]).toEqual([[], 1]);
  await clock.advance(2 * MINUTE_MS);
  await expect.poll(() => told).toEqual(['gone']);
  expect(broker!.stats().sessions).toBe(1);
  await clock.advance(HOUR_MS);
  expect(broker!.stats().sessions).toBe(0);
  await watcher.close();
});

it('moved on makes messages expire that are retained or wait, and tells what is left of their time', async () => {
  const url = await started();
  const sleeper = await connectMqtt(url, 5, {
    clientId: 'sleeper',
    properties: { sessionExpiryIntervalS: 7_200 },
  });
  await sleeper.subscribe('a/#', 1);
  sleeper.drop();
  const publisher = await connectMqtt(url, 5, { clientId: 'publisher' });
  for (const [topic, messageExpiryIntervalS] of [
    ['a/short', 60],
    ['a/long', 3_600],
  ] as const) {
    await publisher.publishSafely(topic, topic, {
      retain: true,
      qos: 1,
      properties: { messageExpiryIntervalS },
    });
  }
  await clock.advance(30 * MINUTE_MS);

  const again = await connectMqtt(url, 5, { clientId: 'sleeper', cleanStart: false });
  const waited = await again.message();
  expect([waited.topic, waited.properties.messageExpiryIntervalS]).toEqual(['a/long', 1_800]);
  const late = await connectMqtt(url, 5, { clientId: 'late' });
  await late.subscribe('a/#', 0);
  expect((await late.message()).topic).toBe('a/long');
  expect(broker!.stats().retained_messages).toBe(1);
});

it('moved on disconnects who promised to say something, and who has not said who it is', async () => {
  const url = await started();
  const silent = await openStream(url);
  silent.resume();
  const silentEnd = once(silent, 'end');
  const sleeping = await connectMqtt(url, 5, { clientId: 'sleeping', keepAliveS: 60 });
  const free = await connectMqtt(url, 5, { clientId: 'free', keepAliveS: 0 });
  await clock.advance(2 * MINUTE_MS);
  await Promise.all([silentEnd, sleeping.ended()]);
  // A connection of after the move has all its time.
  const fresh = await connectMqtt(url, 5, { clientId: 'fresh', keepAliveS: 60 });
  await free.publishSafely('a', 'still here', { qos: 1 });
  expect(fresh.hasEnded).toBe(false);
});

it('moved on takes the records from logs that are older than they are kept', async () => {
  const url = await started({ keep: [{ filter: 'kept/#' }], keepForMs: HOUR_MS });
  const client = await connect(url);
  client.publish('kept/a', 'old');
  await client.ping();
  await clock.advance(2 * HOUR_MS);
  client.publish('kept/a', 'new');
  await client.ping();
  await clock.advance(10 * MINUTE_MS);
  const replayed: Message[] = [];
  await client.subscribe('kept/a', (message) => replayed.push(message), { from: 'earliest' });
  await expect.poll(() => replayed.map((message) => message.text())).toEqual(['new']);
  expect(replayed[0].publishedAt!.toISOString()).toMatch(/^2030-01-01T02:0/);
  await client.close();
});
