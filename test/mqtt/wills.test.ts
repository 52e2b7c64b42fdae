import { describe, expect, it } from 'vitest';
import type { ConnectWill } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../internal/protocol/mqtt/properties.ts';
import { useBroker } from './broker.ts';
import type { RawMqtt } from './client.ts';

const broker = useBroker();

function will(topic: string, properties: Properties = NO_PROPERTIES): ConnectWill {
  return { topic, payload: Buffer.from('gone'), qos: 1, retain: false, properties };
}

async function watching(filter: string): Promise<RawMqtt> {
  const watcher = await broker.connect(5);
  await watcher.subscribe(filter, 2);
  return watcher;
}

describe('a will', () => {
  it.each([3, 4, 5] as const)(
    'is published when the connection breaks [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-9] [MQTT-3.1.2-14], version %i',
    async (version) => {
      const watcher = await watching(`break/${version}`);
      const client = await broker.connect(version, { will: will(`break/${version}`) });
      client.drop();
      expect(await watcher.message()).toMatchObject({ qos: 1, retain: false, properties: {} });
    },
  );

  it.each([4, 5] as const)(
    'is not published after DISCONNECT [MQTT-3.1.2-10] [MQTT-3.14.4-3], version %i',
    async (version) => {
      const watcher = await watching('clean');
      const client = await broker.connect(version, { will: will('clean') });
      client.disconnect();
      await client.ended();
      await watcher.expectSilence();
    },
  );

  it('is published after DISCONNECT 0x04', async () => {
    const watcher = await watching('wanted');
    const client = await broker.connect(5, { will: will('wanted') });
    client.disconnect(4);
    expect(await watcher.texts(1)).toEqual(['wanted gone']);
  });

  it('is published after a protocol error, and when the keep-alive is over', async () => {
    const watcher = await watching('bad/#');
    const malformed = await broker.connect(5, { will: will('bad/malformed') });
    malformed.bytes('36 05 0001 61 0001');
    expect(await watcher.texts(1)).toEqual(['bad/malformed gone']);
    await broker.connect(4, { will: will('bad/silent'), keepAliveS: 1 });
    expect(await watcher.texts(1)).toEqual(['bad/silent gone']);
  });

  it('is published on takeover', async () => {
    const watcher = await watching('taken');
    await broker.connect(5, { clientId: 'taken', will: will('taken') });
    await broker.connect(5, { clientId: 'taken' });
    expect(await watcher.texts(1)).toEqual(['taken gone']);
  });

  it('keeps its properties, and is retained where it says so [MQTT-3.1.2-15] [MQTT-3.1.3-10]', async () => {
    const watcher = await watching('props');
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'r',
      correlationData: Buffer.from([1]),
      userProperties: [['a', 'b']] as [string, string][],
      messageExpiryIntervalS: 1000,
    };
    const client = await broker.connect(5, { will: { ...will('props', properties), qos: 2, retain: true } });
    client.drop();
    const message = await watcher.message();
    expect(message).toMatchObject({ qos: 2, retain: false });
    expect(message.properties).toEqual(properties);
    const late = await watching('props');
    expect(await late.message()).toMatchObject({ retain: true });
  });

  it('waits for its delay, and is published when the session ends if that is sooner', async () => {
    const watcher = await watching('delay/#');
    const start = performance.now();
    const delayed = await broker.connect(5, {
      will: will('delay/1', { willDelayIntervalS: 1 }),
      properties: { sessionExpiryIntervalS: 100 },
    });
    delayed.drop();
    const session = await broker.connect(5, { will: will('delay/0', { willDelayIntervalS: 100 }) });
    session.drop();
    expect(await watcher.texts(1)).toEqual(['delay/0 gone']);
    await watcher.expectSilence();
    expect(await watcher.texts(1)).toEqual(['delay/1 gone']);
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  it('is not published if the client is back before its delay [MQTT-3.1.3-9]', async () => {
    const watcher = await watching('back/#');
    const options = { clientId: 'back', properties: { sessionExpiryIntervalS: 100 } };
    const first = await broker.connect(5, { ...options, will: will('back/1', { willDelayIntervalS: 1 }) });
    first.drop();
    await broker.connect(5, { ...options, cleanStart: false });
    const other = await broker.connect(5, {
      will: will('back/2', { willDelayIntervalS: 2 }),
      properties: { sessionExpiryIntervalS: 100 },
    });
    other.drop();
    // The other one was to wait longer.
    expect(await watcher.texts(1)).toEqual(['back/2 gone']);
  });

  it('that has a delay is cancelled by a takeover, unless that begins a new session', async () => {
    const watcher = await watching('over/#');
    const options = { clientId: 'over', properties: { sessionExpiryIntervalS: 100 } };
    const delayed = { willDelayIntervalS: 100 };
    await broker.connect(5, { ...options, will: will('over/1', delayed) });
    await broker.connect(5, { ...options, cleanStart: false, will: will('over/2', delayed) });
    await broker.connect(5, options);
    expect(await watcher.texts(1)).toEqual(['over/2 gone']);
    await watcher.expectSilence();
  });

  it('waits no longer than the session, as DISCONNECT says last', async () => {
    const watcher = await watching('shortened');
    const client = await broker.connect(5, {
      will: will('shortened', { willDelayIntervalS: 100 }),
      properties: { sessionExpiryIntervalS: 100 },
    });
    client.disconnect(4, { sessionExpiryIntervalS: 0 });
    expect(await watcher.texts(1)).toEqual(['shortened gone']);
  });

  it('is wanted for its expiry interval from when it is published', async () => {
    const watcher = await watching('expiry');
    const client = await broker.connect(5, {
      will: will('expiry', { willDelayIntervalS: 2, messageExpiryIntervalS: 1 }),
      properties: { sessionExpiryIntervalS: 100 },
    });
    client.drop();
    expect((await watcher.message()).properties).toEqual({ messageExpiryIntervalS: 1 });
  });

  it('waits with its QoS for a session whose client is away', async () => {
    const options = { clientId: 'away', properties: { sessionExpiryIntervalS: 100 }, cleanStart: false };
    const watcher = await broker.connect(5, options);
    await watcher.subscribe('away', 2);
    watcher.disconnect();
    await watcher.ended();
    const client = await broker.connect(4, { will: { ...will('away'), qos: 2 } });
    client.drop();
    const back = await broker.connect(5, options);
    expect(await back.message()).toMatchObject({ topic: 'away', qos: 2, dup: false });
  });

  it('is published at once when the client is back with a clean start', async () => {
    const watcher = await watching('fresh');
    const options = { clientId: 'fresh', properties: { sessionExpiryIntervalS: 100 } };
    const first = await broker.connect(5, { ...options, will: will('fresh', { willDelayIntervalS: 100 }) });
    first.drop();
    await first.ended();
    await broker.connect(5, options);
    expect(await watcher.texts(1)).toEqual(['fresh gone']);
  });
});
