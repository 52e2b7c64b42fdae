import { describe, expect, it } from 'vitest';
import { mqttReceiveMaximum } from '../../internal/limits/mqtt.ts';
import { PacketType, VERSIONS } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';

const KEEP_ALIVE_S = 100;
const broker = useBroker({ connectTimeoutMs: 300, keepAliveMs: KEEP_ALIVE_S * 1000 });

describe('CONNECT', () => {
  it.each([...VERSIONS])(
    'is answered with CONNACK, and PINGREQ with PINGRESP [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-2] [MQTT-3.12.4-1], version %i',
    async (version) => {
      const client = await broker.open(version);
      expect(await client.connect()).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      client.send({ type: PacketType.pingreq });
      await client.next(PacketType.pingresp);
    },
  );

  it('comes in pieces', async () => {
    const client = await broker.open(4);
    for (const byte of Buffer.from('100d00044d5154540402003c000161', 'hex')) {
      client.stream.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.next(PacketType.connack)).toMatchObject({ reasonCode: 0 });
  });

  it('names the limits of the broker in version 5, and the id that it gave [MQTT-3.1.3-7] [MQTT-3.2.2-16]', async () => {
    const client = await broker.open(5);
    const { properties } = await client.connect({ clientId: '', keepAliveS: 0 });
    expect(properties).toMatchObject({
      receiveMaximum: mqttReceiveMaximum,
      serverKeepAliveS: KEEP_ALIVE_S,
      topicAliasMaximum: expect.any(Number),
      maximumPacketSizeBytes: expect.any(Number),
    });
    expect(properties.assignedClientIdentifier).toMatch(/^tinymq-/);
  });

  it('keeps a keep-alive that is shorter than the broker asks for [MQTT-3.1.2-21]', async () => {
    const client = await broker.open(5);
    const { properties } = await client.connect({ keepAliveS: KEEP_ALIVE_S - 1 });
    expect(properties.serverKeepAliveS).toBeUndefined();
  });

  it('is welcome in 3.1.1 with keep-alive 0 though the broker has one [MQTT-3.2.2-22]', async () => {
    const client = await broker.open(4);
    expect(await client.connect({ keepAliveS: 0 })).toMatchObject({ reasonCode: 0 });
  });

  it('gets an id where it has none, and closes what nobody could come back to [MQTT-3.1.3-6] [MQTT-3.1.3-8] [MQTT-3.2.2-6] [MQTT-3.2.2-7]', async () => {
    const clean = await broker.open(4);
    expect(await clean.connect({ clientId: '', cleanStart: true })).toMatchObject({ reasonCode: 0 });
    const kept = await broker.open(4);
    expect(await kept.connect({ clientId: '', cleanStart: false })).toMatchObject({ reasonCode: 2 });
    await kept.ended();
    const old = await broker.open(3);
    expect(await old.connect({ clientId: '' })).toMatchObject({ reasonCode: 2 });
  });

  it.each([
    ['an unknown level of the past [MQTT-3.1.2-2]', '10 0c 0004 4d515454 03 02 0000 0000', '20020001'],
    ['an unknown level to come', '10 0d 0004 4d515454 06 02 0000 00 0000', /^20..00840[0-9a-f]|^20..0084/],
    ['a reserved flag in 3.1.1 [MQTT-3.1.2-3]', '10 0c 0004 4d515454 04 03 0000 0000', ''],
    ['a reserved flag in 5', '10 0d 0004 4d515454 05 03 0000 00 0000', /^20..0081/],
    ['another protocol [MQTT-3.1.2-1]', '10 0c 0004 4d515455 04 02 0000 0000', ''],
    [
      'an authentication method [MQTT-4.12.0-1] [MQTT-3.2.2-8]',
      '10 11 0004 4d515454 05 02 0000 04 15 0001 61 0000',
      /^20..008c/,
    ],
    [
      'a reserved will topic in 5',
      '10 16 0004 4d515454 05 06 0000 00 0000 00 0004 24535953 0000',
      /^20..0087/,
    ],
    ['a wildcard in the will topic', '10 13 0004 4d515454 05 06 0000 00 0000 00 0001 23 0000', /^20..0090/],
  ])('is refused with %s', async (_, hex, answer) => {
    const client = await broker.open(5);
    const chunks: Buffer[] = [];
    client.stream.removeAllListeners('data');
    client.stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    client.bytes(hex);
    await client.ended();
    const text = Buffer.concat(chunks).toString('hex');
    if (typeof answer === 'string') expect(text).toBe(answer);
    else expect(text).toMatch(answer);
  });

  it('comes first, and nothing is said to who sends something else [MQTT-3.1.0-1] [MQTT-3.14.0-1]', async () => {
    const client = await broker.open(4);
    client.bytes('10');
    client.bytes('00');
    await client.ended();
    expect(client.waiting).toEqual([]);
  });

  it.each([
    ['PUBLISH', '30 03 0001 61'],
    ['SUBSCRIBE', '82 06 0001 0001 61 00'],
    ['PINGREQ', 'c0 00'],
    ['DISCONNECT', 'e0 00'],
    ['CONNACK', '20 02 00 00'],
    ['CONNECT with flags', '12 0c 0004 4d515454 04 02 0000 0000'],
    ['a remaining length of five bytes', '10 80808080 01'],
  ])('has not a byte of answer to %s in its place [MQTT-3.1.0-1]', async (_, hex) => {
    const client = await broker.open(4);
    let heard = 0;
    client.stream.on('data', ({ length }: Buffer) => {
      heard += length;
    });
    client.bytes(hex);
    await client.ended();
    expect(heard).toBe(0);
  });

  it('of 3.1 may have flags, and its CONNACK has none', async () => {
    const connect = '12 0f 0006 4d5149736470 03 00 003c 0001 61';
    for (let count = 0; count < 2; count++) {
      const client = await broker.open(3);
      client.bytes(connect);
      expect(await client.next(PacketType.connack)).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      client.disconnect();
      await client.ended();
    }
  });

  it('is refused where the client takes no CONNACK of that size, as far as it takes that [MQTT-3.1.2-24]', async () => {
    const small = await broker.open(5);
    const properties = { maximumPacketSizeBytes: 5 };
    expect(await small.connect({ properties })).toMatchObject({
      reasonCode: ReasonCode.packetTooLarge,
      properties: {},
    });
    await small.ended();
    const smaller = await broker.open(5);
    smaller.bytes('10 13 0004 4d515454 05 02 003c 05 27 00000004 0001 61');
    await smaller.ended();
    expect(smaller.waiting).toEqual([]);
  });

  it('comes once [MQTT-3.1.0-2]', async () => {
    const client = await broker.connect(5);
    client.bytes('10 0d 0004 4d515454 05 02 0000 00 0000');
    const { reasonCode, properties } = await client.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.protocolError);
    expect(properties.reasonString).toBe('protocol-error: CONNECT does not come from a connected client');
    await client.ended();
  });

  it('has to come in time, and whole [MQTT-3.1.4-1]', async () => {
    const client = await broker.open(4);
    client.bytes('10 0c 0004');
    await client.ended();
  });

  it('may be followed by other packets at once [MQTT-3.1.4-5]', async () => {
    const client = await broker.open(4);
    client.bytes('100d00044d5154540402003c000161 c000 c000');
    await client.next(PacketType.connack);
    await client.next(PacketType.pingresp);
    await client.next(PacketType.pingresp);
  });
});

// A second CONNECT of an unknown version was answered with DISCONNECT 0x84, which DISCONNECT may not carry.
it('comes once, whatever the second one says', async () => {
  const client = await broker.connect(5);
  client.bytes('10 0d 0004 4d515454 06 02 0000 00 0000');
  expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.protocolError });
});

describe('DISCONNECT', () => {
  it('tells the reason of what is malformed, then reads on so that the client learns it [MQTT-3.14.2-1] [MQTT-4.13.1-1] [MQTT-4.13.2-1]', async () => {
    const client = await broker.connect(5);
    client.bytes('36 05 0001 61 0001');
    // These bytes lie unread in the socket, and a close would become a reset.
    for (let index = 0; index < 100; index++) client.stream.write(Buffer.alloc(1000, 0x30));
    const { reasonCode, properties } = await client.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.malformedPacket);
    expect(properties.reasonString).toBe('malformed-packet: PUBLISH: QoS 3');
    await client.ended();
  });

  it('has no reason string where the client wants none [MQTT-3.1.2-29]', async () => {
    const client = await broker.connect(5, { properties: { requestProblemInformation: 0 } });
    client.bytes('f0 00');
    const { reasonCode, properties } = await client.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.protocolError);
    expect(properties).toEqual({});
  });

  it.each([
    ['CONNACK', '20 03 00 00 00'],
    ['SUBACK, cut off too', '90 01 00'],
    ['UNSUBACK', 'b0 04 0001 00 00'],
    ['PINGRESP', 'd0 00'],
  ])('answers %s, which only a server sends', async (name, hex) => {
    const client = await broker.connect(5);
    client.bytes(hex);
    const { reasonCode, properties } = await client.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.protocolError);
    expect(properties.reasonString).toContain(`${name.split(',')[0]} does not come from a connected client`);
  });

  it('does not exist for a server before version 5: it closes', async () => {
    const client = await broker.connect(4);
    client.bytes('36 05 0001 61 0001');
    await client.ended();
    expect(client.waiting).toEqual([]);
  });

  it('closes the connection [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const client = await broker.connect(5);
    client.disconnect();
    await client.ended();
    expect(client.waiting).toEqual([]);
  });

  it('may not prolong a session that was to end', async () => {
    const client = await broker.connect(5);
    client.disconnect(0, { sessionExpiryIntervalS: 10 });
    expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.protocolError });
  });
});

describe('keep-alive', () => {
  it('ends a silent connection after one and a half times [MQTT-3.1.2-22]', async () => {
    const start = performance.now();
    const client = await broker.connect(5, { keepAliveS: 1 });
    expect(await client.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.keepAliveTimeout,
    });
    expect(performance.now() - start).toBeGreaterThan(1400);
    await client.ended();
  });
});

describe('a second connection with the same id', () => {
  it('takes over, and the first one is told [MQTT-3.1.4-3]', async () => {
    const first = await broker.connect(5, { clientId: 'twice' });
    await broker.connect(4, { clientId: 'twice' });
    const { reasonCode, properties } = await first.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.sessionTakenOver);
    expect(properties.reasonString).toMatch(/^taken-over: client 'twice' connected again from /);
    await first.ended();
  });
});
