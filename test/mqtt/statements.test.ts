import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';
import { type Bound, STATEMENTS } from './statements.ts';

const broker = useBroker();
const root = fileURLToPath(new URL('../../', import.meta.url));
const lasting = { properties: { sessionExpiryIntervalS: 1000 } };

describe('what no other test is about', () => {
  it('names keep U+FEFF, every form of a letter, and 65,535 bytes [MQTT-1.5.4-3] [MQTT-4.7.3-3]', async () => {
    const client = await broker.connect(5);
    const topics = ['\ufeffa', 'a', 'é', 'e\u0301', 'x'.repeat(65_535)];
    for (const topic of topics) await client.subscribe(topic);
    for (const topic of topics) client.publish(topic, 'x');
    expect((await client.messages(topics.length)).map(({ topic }) => topic)).toEqual(topics);
    await client.expectSilence();
  });

  it('a topic that is published to has no wildcards, a filter may [MQTT-4.7.0-1]', async () => {
    const client = await broker.connect(4);
    await client.subscribe('a/+/#');
    client.publish('a/+/b', 'x');
    await client.ended();
  });

  it('client ids of letters and digits, and any other, are taken [MQTT-3.1.3-5] [MQTT-3.1.4-2]', async () => {
    for (const clientId of ['0', 'abcdefghijklmnopqrstuvw', 'ü/+#$'.repeat(100)]) {
      expect((await (await broker.open(5)).connect({ clientId })).reasonCode).toBe(0);
    }
  });

  it('CONNACK comes once, without Response Information, and nothing behind a refused CONNECT is looked at [MQTT-3.1.2-28] [MQTT-3.1.4-6] [MQTT-3.2.0-2]', async () => {
    const client = await broker.open(5);
    const connack = await client.connect({ properties: { requestResponseInformation: 0 } });
    expect(connack.properties.responseInformation).toBeUndefined();
    await client.expectSilence();
    const watcher = await broker.connect(5);
    await watcher.subscribe('refused/#');
    const refused = await broker.open(4);
    // An empty client id for a session that is to be kept, and a PUBLISH.
    refused.bytes('100c 0004 4d515454 04 00 0000 0000 300b 0009 726566757365642f61');
    expect(await refused.next(PacketType.connack)).toMatchObject({ reasonCode: 2 });
    await refused.ended();
    await watcher.expectSilence();
  });

  it('reason strings are left out where the client takes no packet of that size [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1] [MQTT-3.14.2-3]', async () => {
    const client = await broker.connect(5, { properties: { maximumPacketSizeBytes: 20 } });
    client.publish('$SYS/x', 'x', { qos: 1 });
    expect(await client.next(PacketType.puback)).toMatchObject({
      reasonCode: ReasonCode.notAuthorized,
      properties: {},
    });
    client.publish('$SYS/x', 'x', { qos: 2 });
    expect(await client.next(PacketType.pubrec)).toMatchObject({
      reasonCode: ReasonCode.notAuthorized,
      properties: {},
    });
    const suback = await client.subscribe('a/#/b');
    expect(suback).toMatchObject({ reasonCodes: [ReasonCode.invalidTopicFilter], properties: {} });
    client.send({ type: PacketType.unsubscribe, packetId: 9, filters: ['a/#/b'], properties: NO_PROPERTIES });
    expect((await client.next(PacketType.unsuback)).properties).toEqual({});
    client.bytes('f000');
    // The server's DISCONNECT has no Session Expiry Interval either [MQTT-3.14.2-2].
    expect(await client.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.protocolError,
      properties: {},
    });
  });

  it('an answer that the client does not take ends the connection [MQTT-3.1.2-24]', async () => {
    const client = await broker.connect(5, { properties: { maximumPacketSizeBytes: 20 } });
    const plain = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = Array.from({ length: 16 }, (_, index) => ({ filter: `f/${index}`, ...plain }));
    client.send({ type: PacketType.subscribe, packetId: 1, subscriptions, properties: NO_PROPERTIES });
    expect(await client.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.packetTooLarge,
      properties: {},
    });
    await client.ended();
  });

  it('DISCONNECT has no Session Expiry Interval, and AUTH never comes [MQTT-3.14.2-2] [MQTT-4.12.0-6]', async () => {
    const client = await broker.connect(5, lasting);
    client.bytes('36 05 0001 61 0001');
    const { properties } = await client.next(PacketType.disconnect);
    expect(Object.keys(properties)).toEqual(['reasonString']);
    await client.ended();
    expect(client.waiting).toEqual([]);
  });

  it('aliases end with their connection [MQTT-3.3.2-7]', async () => {
    const first = await broker.connect(5, { clientId: 'alias', ...lasting });
    first.publish('alias/a', 'x', { properties: { topicAlias: 1 } });
    first.drop();
    const second = await broker.connect(5, { clientId: 'alias', cleanStart: false, ...lasting });
    second.publish('', 'x', { properties: { topicAlias: 1 } });
    expect(await second.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.protocolError });
  });

  it('a full window delays messages only, in both directions [MQTT-3.3.4-10] [MQTT-4.9.0-3]', async () => {
    const client = await broker.connect(5, { properties: { receiveMaximum: 1 } });
    client.acknowledges = false;
    await client.subscribe('window', 1);
    await broker.connect(5).then(async (publisher) => {
      for (const payload of ['1', '2']) await publisher.publishSafely('window', payload);
    });
    expect((await client.message()).packetId).toBeGreaterThan(0);
    await client.expectSilence();
    await client.subscribe('other', 1);
    client.publish('elsewhere', 'x', { qos: 2, packetId: 77 });
    await client.next(PacketType.pubrec);
    client.answer(PacketType.pubrel, 77);
    expect(await client.next(PacketType.pubcomp)).toMatchObject({ packetId: 77 });
  });

  it('PUBCOMP says what became of the id [MQTT-3.7.2-1]', async () => {
    const client = await broker.connect(5);
    client.answer(PacketType.pubrel, 5);
    expect(await client.next(PacketType.pubcomp)).toMatchObject({
      reasonCode: ReasonCode.packetIdNotFound,
    });
  });

  it('a subscription that is replaced loses nothing [MQTT-3.8.4-4]', async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('replaced', 1);
    const publisher = await broker.connect(5);
    for (let index = 0; index < 200; index++) publisher.publish('replaced', String(index), { qos: 1 });
    for (let round = 0; round < 20; round++) {
      subscriber.send({
        type: PacketType.subscribe,
        packetId: 1000 + round,
        subscriptions: [
          { filter: 'replaced', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 2 },
        ],
        properties: NO_PROPERTIES,
      });
    }
    const seen: string[] = [];
    let answers = 0;
    while (seen.length < 200 || answers < 20) {
      const packet = await subscriber.any();
      if (packet.type === PacketType.suback) answers++;
      else seen.push(String((packet as { payload: Uint8Array }).payload));
    }
    expect(seen).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
  });

  it('UNSUBSCRIBE completes what was sent [MQTT-3.10.4-3]', async () => {
    const subscriber = await broker.connect(5);
    subscriber.acknowledges = false;
    await subscriber.subscribe('completed', 2);
    const publisher = await broker.connect(5);
    await publisher.publishSafely('completed', 'x', { qos: 2 });
    const { packetId } = await subscriber.message();
    subscriber.send({
      type: PacketType.unsubscribe,
      packetId: 9,
      filters: ['completed'],
      properties: NO_PROPERTIES,
    });
    await subscriber.next(PacketType.unsuback);
    subscriber.answer(PacketType.pubrec, packetId);
    expect(await subscriber.next(PacketType.pubrel)).toMatchObject({ packetId, reasonCode: 0 });
  });

  it('a session lasts while its connection does, over any transport [MQTT-4.1.0-1] [MQTT-4.2.0-1]', async () => {
    const client = await broker.connect(5, { properties: { sessionExpiryIntervalS: 0 } });
    await client.subscribe('lasts');
    await client.expectSilence();
    client.publish('lasts', 'x');
    expect(await client.texts(1)).toEqual(['lasts x']);
  });

  it('an id is free behind PUBACK, and behind a refusal [MQTT-4.3.2-5] [MQTT-4.3.3-9]', async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('again', 2);
    const client = await broker.connect(5);
    for (const payload of ['1', '2']) await client.publishSafely('again', payload, { packetId: 5 });
    expect(await client.publishSafely('$SYS/x', 'x', { qos: 2, packetId: 6 })).toBe(ReasonCode.notAuthorized);
    await client.publishSafely('again', '3', { qos: 2, packetId: 6 });
    expect(await subscriber.texts(3)).toEqual(['again 1', 'again 2', 'again 3']);
  });

  it('what was sent is completed though it has expired, PUBRELs in order [MQTT-4.3.3-7] [MQTT-4.3.3-13] [MQTT-4.6.0-4]', async () => {
    const subscriber = await broker.connect(5, { clientId: 'expired', ...lasting });
    subscriber.acknowledges = false;
    await subscriber.subscribe('expired', 2);
    const publisher = await broker.connect(5);
    for (const payload of ['1', '2', '3']) {
      await publisher.publishSafely('expired', payload, {
        qos: 2,
        properties: { messageExpiryIntervalS: 1 },
      });
    }
    const sent = await subscriber.messages(3);
    subscriber.drop();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const back = await broker.connect(5, { clientId: 'expired', cleanStart: false, ...lasting }, false);
    const ids = sent.map(({ packetId }) => packetId);
    expect((await back.messages(3)).map(({ packetId }) => packetId)).toEqual(ids);
    for (const packetId of ids) back.answer(PacketType.pubrec, packetId);
    for (const packetId of ids) expect(await back.next(PacketType.pubrel)).toMatchObject({ packetId });
    for (const packetId of ids) back.answer(PacketType.pubcomp, packetId);
    await back.expectSilence();
  });

  it('a QoS 2 message of a group stays with whom it was sent to, and what is refused is nobody’s [MQTT-4.8.2-4] [MQTT-4.8.2-5] [MQTT-4.8.2-6]', async () => {
    const options = { clientId: 'member', ...lasting };
    const member = await broker.connect(5, options);
    member.acknowledges = false;
    await member.subscribe('$share/g/two', 2);
    const publisher = await broker.connect(5);
    for (const payload of ['1', '2', '3']) await publisher.publishSafely('two', payload, { qos: 2 });
    const [first, second] = await member.messages(3);
    const other = await broker.connect(5);
    await other.subscribe('$share/g/two', 2);
    member.answer(PacketType.pubrec, first.packetId, ReasonCode.unspecified);
    await member.expectSilence();
    member.drop();
    await other.expectSilence();
    const back = await broker.connect(5, { ...options, cleanStart: false }, false);
    expect(await back.message()).toMatchObject({ packetId: second.packetId, dup: true });
    back.disconnect(0, { sessionExpiryIntervalS: 0 });
    await back.ended();
    await other.expectSilence();
  });
});

describe('docs/mqtt.md', () => {
  it('says of each normative statement where it is tested (npx vitest -u writes it anew)', async () => {
    const page = readFileSync(`${root}docs/mqtt.md`, 'utf8');
    const head = page.slice(0, page.indexOf(TABLE_HEAD));
    await expect(head + TABLE_HEAD + table()).toMatchFileSnapshot('../../docs/mqtt.md');
  });

  it('names no statement that there is not, and each one that binds a server has a test', () => {
    const known = new Set(STATEMENTS.map(([number]) => number));
    const tested = testsByStatement();
    expect([...tested.keys()].filter((number) => !known.has(number))).toEqual([]);
    const untested = STATEMENTS.filter(
      ([number, , bound = 'server']) => bound === 'server' && !tested.has(number),
    );
    expect(untested.map(([number]) => number)).toEqual([]);
  });
});

const TABLE_HEAD = '## Normative statements\n';

function table(): string {
  const tested = testsByStatement();
  const rows = STATEMENTS.map(([number, words, bound = 'server']) => {
    return `| MQTT-${number} | ${words} | ${where(bound, tested.get(number))} |`;
  });
  return `
The statements of MQTT 5.0 (appendix B) in a few words each, and where a test names them. The table is written and checked by
\`test/mqtt/statements.test.ts\`.

| statement | what | tested in |
|---|---|---|
${rows.join('\n')}
`;
}

function where(bound: Bound, files: ReadonlySet<string> | undefined): string {
  if (files !== undefined) return [...files].sort().join(', ');
  return typeof bound === 'object' ? `not: ${bound.not}` : 'binds clients';
}

/** The files whose tests name each statement. */
function testsByStatement(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const patterns = ['internal/**/*.test.ts', 'test/golden/mqtt-packets.ts', 'test/mqtt/*.test.ts'];
  for (const file of globSync(patterns, { cwd: root })) {
    for (const [, number] of readFileSync(root + file, 'utf8').matchAll(/\[MQTT-([\d.]+-\d+)\]/g)) {
      const files = found.get(number) ?? new Set();
      found.set(number, files.add(file));
    }
  }
  return found;
}
