import { describe, expect, it } from 'vitest';
import type { ConnectWill, Publish } from '../../internal/protocol/mqtt/packet.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectLasting as connect, useLastingBrokers } from './lasting-broker.ts';

const startBroker = useLastingBrokers();

/** A will that is more than text. */
function will(topic: string, more: Partial<ConnectWill> = {}): ConnectWill {
  return { topic, payload: Buffer.from([0, 255, 128]), qos: 1, retain: false, properties: {}, ...more };
}

/** A session that gets every will, and is away. */
async function watch(broker: BrokerProcess): Promise<void> {
  const { client } = await connect(broker, 5, 'watcher');
  await client.subscribe('will/#', 2);
  client.disconnect();
  await client.ended();
}

/** The wills that wait for the watcher, or come to it until the last one that is asked for. */
async function willsOf(broker: BrokerProcess, count: number): Promise<Publish[]> {
  const { client } = await connect(broker, 5, 'watcher', {}, true);
  const messages = await client.messages(count);
  await client.expectSilence();
  client.disconnect();
  await client.ended();
  return messages;
}

describe('wills of a broker that ends', () => {
  it('are published once for those who were connected at kill -9 [MQTT-3.1.2-7] [MQTT-3.1.2-8]', async () => {
    const before = await startBroker('wills');
    await watch(before);
    const properties = { contentType: 'x', correlationData: Buffer.from([1]), messageExpiryIntervalS: 600 };
    const kept = await connect(before, 5, 'kept', { will: will('will/kept', { properties, retain: true }) });
    const clean = await connect(before, 4, 'clean', {
      cleanStart: true,
      will: will('will/clean', { qos: 2 }),
    });
    const orderly = await connect(before, 5, 'orderly', { will: will('will/orderly') });
    orderly.client.disconnect();
    await orderly.client.ended();
    const without = await connect(before, 5, 'without', { will: will('will/without') });
    without.client.drop();
    await eventually(async () => (await before.stats()).clients === 2, 'the end of the others');
    const again = await connect(before, 5, 'without');
    await again.client.expectSilence();
    await before.stop('SIGKILL');

    const middle = await startBroker('wills');
    // The one that was published at its time, and then those of the two that are lost now.
    const messages = await willsOf(middle, 3);
    expect(messages[0].topic).toBe('will/without');
    const lost = new Map(messages.map((message) => [message.topic, message]));
    expect([...lost.keys()].sort()).toEqual(['will/clean', 'will/kept', 'will/without']);
    expect(lost.get('will/kept')).toMatchObject({ qos: 1, retain: false });
    expect(Buffer.from(lost.get('will/kept')!.payload)).toEqual(Buffer.from([0, 255, 128]));
    expect(lost.get('will/kept')!.properties).toMatchObject({
      contentType: 'x',
      messageExpiryIntervalS: 600,
    });
    expect(lost.get('will/clean')).toMatchObject({ qos: 2 });
    await middle.stop('SIGKILL');

    await using after = await startBroker('wills');
    const late = await connect(after, 5, 'late', { cleanStart: true, properties: {} }, true);
    await late.client.subscribe('will/#', 1);
    expect(await late.client.message()).toMatchObject({ topic: 'will/kept', retain: true });
    // The will of somebody who is lost now comes later than any that the store might still have had.
    const marker = await connect(after, 5, 'marker', {
      will: will('will/marker', { properties: { willDelayIntervalS: 2 } }),
    });
    marker.client.drop();
    expect(await late.client.message()).toMatchObject({ topic: 'will/marker', retain: false });
    for (const { client } of [kept, clean, again, late]) client.drop();
  });

  it('come before what their clients say when they are back; a delay that is not over cancels them', async () => {
    const before = await startBroker('wills-back');
    await watch(before);
    const delayed = { willDelayIntervalS: 100 };
    const first = [
      await connect(before, 5, 'back', { will: will('will/back') }),
      await connect(before, 5, 'delayed', { will: will('will/delayed', { properties: delayed }) }),
      await connect(before, 5, 'fresh', { will: will('will/fresh', { properties: delayed }) }),
    ];
    await first[2].client.expectSilence();
    await before.stop('SIGKILL');
    const middle = await startBroker('wills-back');
    const { client: back, sessionPresent } = await connect(middle, 5, 'back');
    expect(sessionPresent).toBe(true);
    await back.publishSafely('will/back', 'I am back');
    const { client: notYet } = await connect(middle, 5, 'delayed');
    const { client: fresh } = await connect(middle, 5, 'fresh', { cleanStart: true });
    await fresh.publishSafely('will/back', 'over');
    const messages = await willsOf(middle, 4);
    expect(messages.map(({ topic, payload }) => [topic, payload.length])).toEqual([
      ['will/back', 3],
      ['will/back', 9],
      ['will/fresh', 3],
      ['will/back', 4],
    ]);
    await middle.stop('SIGKILL');
    // None is left for the next start.
    await using after = await startBroker('wills-back');
    const { client: watcher } = await connect(after, 5, 'late', { cleanStart: true }, true);
    await watcher.subscribe('will/#');
    const marker = await connect(after, 5, 'marker', {
      will: will('will/marker', { properties: { willDelayIntervalS: 2 } }),
    });
    marker.client.drop();
    expect(await watcher.message()).toMatchObject({ topic: 'will/marker' });
    for (const { client } of first) client.drop();
    for (const client of [back, notYet, fresh, watcher]) client.drop();
  });

  it('that wait for their delay wait on, from the end of their connection, also after SIGTERM', async () => {
    const before = await startBroker('wills-waiting');
    await watch(before);
    const delayed = { willDelayIntervalS: 2 };
    const waiting = await connect(before, 5, 'waiting', {
      will: will('will/waiting', { properties: delayed }),
    });
    const shortened = await connect(before, 5, 'shortened', {
      will: will('will/shortened', { properties: { willDelayIntervalS: 100 } }),
    });
    shortened.client.disconnect(4, { sessionExpiryIntervalS: 2 });
    await shortened.client.ended();
    waiting.client.drop();
    await eventually(async () => (await before.stats()).clients === 0, 'the end of the connections');
    const lostAt = performance.now();
    const stopped = await connect(before, 5, 'stopped', { will: will('will/stopped') });
    const later = await connect(before, 5, 'later', { will: will('will/later', { properties: delayed }) });
    await later.client.expectSilence();
    expect((await before.stop('SIGTERM')).code).toBe(0);
    await using after = await startBroker('wills-waiting');
    const messages = await willsOf(after, 4);
    expect(performance.now() - lostAt).toBeGreaterThan(1_900);
    expect(messages[0].topic).toBe('will/stopped');
    expect(messages.map(({ topic }) => topic).sort()).toEqual([
      'will/later',
      'will/shortened',
      'will/stopped',
      'will/waiting',
    ]);
    for (const { client } of [waiting, stopped, later]) client.drop();
  });
});
