import { describe, expect, it } from 'vitest';
import { BRIDGE_BIT, PacketType, VERSIONS } from '../../internal/protocol/mqtt/packet.ts';
import { useBroker } from './broker.ts';

const broker = useBroker();

// Bridges of mosquitto, NanoMQ, EMQX and VerneMQ mark themselves in the protocol level. The broker took that for an unknown
// version and answered in the words of MQTT 5, so that mosquitto tried the same for ever.
describe.each([...VERSIONS])('a bridge of version %i', (version) => {
  it('is let in', async () => {
    const client = await broker.open(version);
    expect(await client.connect({ isBridge: true })).toMatchObject({ reasonCode: 0 });
  });

  it('is told what is retained, and gets nothing back that it published', async () => {
    const topic = `bridged/${version}`;
    const bridge = await broker.connect(version, { isBridge: true });
    await bridge.subscribe('bridged/#', 1);
    await bridge.publishSafely(topic, 'its own', { retain: true });
    await bridge.expectSilence();
    const other = await broker.connect(4);
    await other.publishSafely(topic, 'retained', { retain: true });
    expect(await bridge.message()).toMatchObject({ topic, retain: true, qos: 1 });
    await other.publishSafely(topic, 'live');
    expect(await bridge.message()).toMatchObject({ topic, retain: false });
    await other.publishSafely(topic, '', { retain: true });
    expect(await bridge.message()).toMatchObject({ topic, retain: true });
  });

  it('may share with a group', async () => {
    const bridge = await broker.connect(version, { isBridge: true });
    await bridge.subscribe(`$share/g/shared/${version}`, 1);
    const other = await broker.connect(4);
    await other.publishSafely(`shared/${version}`, 'x', { retain: true });
    expect(await bridge.message()).toMatchObject({ retain: true });
    await other.publishSafely(`shared/${version}`, '', { retain: true });
  });

  it('has all that after it connected again to its session', async () => {
    const clientId = `back/${version}`;
    const session = {
      clientId,
      isBridge: true,
      cleanStart: false,
      properties: { sessionExpiryIntervalS: 60 },
    };
    const before = await broker.connect(version, session);
    await before.subscribe(clientId, 1);
    before.drop();
    const other = await broker.connect(4);
    await other.publishSafely(clientId, 'away', { retain: true });
    const bridge = await broker.connect(version, session);
    expect(await bridge.message()).toMatchObject({ retain: true });
    await bridge.publishSafely(clientId, 'its own');
    await bridge.expectSilence();
    await other.publishSafely(clientId, '', { retain: true });
  });

  it('has a will that says it is gone, for those who watch', async () => {
    const topic = `$SYS/broker/connection/bridge${version}/state`;
    const watcher = await broker.connect(4);
    await watcher.subscribe(`$SYS/broker/connection/bridge${version}/+`, 1);
    const will = { topic, payload: Buffer.from('0'), qos: 1, retain: true, properties: {} } as const;
    const bridge = await broker.connect(version, { isBridge: true, will });
    await bridge.publishSafely(topic, '1', { retain: true });
    expect(await watcher.texts(1)).toEqual([`${topic} 1`]);
    bridge.drop();
    expect(await watcher.texts(1)).toEqual([`${topic} 0`]);
    const late = await broker.connect(5);
    await late.subscribe(topic);
    expect(await late.message()).toMatchObject({ topic, retain: true });
  });
});

it('a client that is no bridge gets back what it published, and retained messages as live ones', async () => {
  const client = await broker.connect(4);
  await client.subscribe('plain');
  client.publish('plain', 'x', { qos: 1, retain: true });
  const packets = await client.take(2);
  expect(packets).toContainEqual(expect.objectContaining({ type: PacketType.publish, retain: false }));
});

// Of a level that there is not, whoever reads the answer knows the words of the version nearest to it.
describe('a protocol level that there is not', () => {
  const refusedOld = '20020001';
  it.each([
    ['MQIsdp', 2, refusedOld],
    ['MQIsdp', 4, refusedOld],
    ['MQIsdp', 5, refusedOld],
    ['MQIsdp', 4 | BRIDGE_BIT, refusedOld],
    ['MQTT', 0, refusedOld],
    ['MQTT', 3, refusedOld],
    ['MQTT', 3 | BRIDGE_BIT, refusedOld],
    ['MQTT', 6, /^20..0084/],
    ['MQTT', 6 | BRIDGE_BIT, /^20..0084/],
  ])('%s %i is refused in words that its client can read', async (name, level, answer) => {
    const client = await broker.open(4);
    const chunks: Buffer[] = [];
    client.stream.removeAllListeners('data');
    client.stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const body = Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([level, 2, 0, 60, 0, 1, 97]),
    ]);
    client.stream.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
    await client.ended();
    const text = Buffer.concat(chunks).toString('hex');
    if (typeof answer === 'string') expect(text).toBe(answer);
    else expect(text).toMatch(answer);
  });
});
