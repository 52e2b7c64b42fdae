import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { SignJWT } from 'jose';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { type Authenticator, isRefusal, type SaslStep } from '../../internal/access/authenticator.ts';
import type { Identity } from '../../internal/access/identity.ts';
import { Tokens } from '../../internal/access/users/tokens/tokens.ts';
import { UserAuthenticator } from '../../internal/access/users/user-authenticator.ts';
import { type Auth, type Connack, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { openStream } from '../support/raw-client.ts';
import { ScramClient } from '../support/sasl.ts';
import { directoryOf, userOf } from '../support/users.ts';
import { useBroker } from './broker.ts';
import { RawMqtt } from './client.ts';

const SCRAM = 'SCRAM-SHA-256';
const folder = mkdtempSync(join(tmpdir(), 'tinymq-mqtt-auth-'));
const certificates = await makeCertificates(folder);
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keys = join(folder, 'key.pem');
writeFileSync(keys, publicKey.export({ type: 'spki', format: 'pem' }));
const tokens = await Tokens.open({ keys });
afterAll(() => {
  tokens.close();
  rmSync(folder, { recursive: true });
});

const directory = directoryOf(await userOf('anna', 'secret'), await userOf('bob', 'hidden'));
const users = new UserAuthenticator({ directory, allowsAnonymous: false, tokens });
/** How long the credentials hold that are shown next; undefined: for ever. */
let validForMs: number | undefined;
beforeEach(() => {
  validForMs = undefined;
});

function limited(identity: Identity): Identity {
  return validForMs === undefined ? identity : { ...identity, expiresAtMs: Date.now() + validForMs };
}

/** The users of the broker, whose credentials may end. */
const authenticator: Authenticator = {
  get mechanisms() {
    return users.mechanisms;
  },
  async authenticate(peer, credentials) {
    const found = await users.authenticate(peer, credentials);
    return isRefusal(found) ? found : limited(found);
  },
  beginExchange(peer, mechanism) {
    const exchange = users.beginExchange(peer, mechanism);
    if (isRefusal(exchange)) return exchange;
    return {
      async step(message): Promise<SaslStep> {
        const step = await exchange.step(message);
        return 'identity' in step ? { ...step, identity: limited(step.identity) } : step;
      },
    };
  },
};

const socketPath = join(folder, 'mqtt.sock');
const broker = useBroker({
  authenticator,
  listen: [
    'tcp://localhost:0',
    'tls://localhost:0',
    'ws://localhost:0',
    'wss://localhost:0',
    `unix://${socketPath}`,
  ],
  tls: { certFile: certificates.serverCert, keyFile: certificates.serverKey },
});

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));
const textOf = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

function connectPacket(properties: Properties, clientId = randomUUID()) {
  const type = PacketType.connect;
  return { type, version: 5 as Version, cleanStart: true, keepAliveS: 0, clientId, properties };
}

function auth(reasonCode: number, properties: Properties): Auth {
  return { type: PacketType.auth, reasonCode, properties };
}

function proof(data: string, method = SCRAM): Auth {
  return auth(ReasonCode.continueAuthentication, {
    authenticationMethod: method,
    authenticationData: bytesOf(data),
  });
}

/** Connects by SCRAM; CONNACK, or what comes in its place. */
async function connectByScram(
  client: RawMqtt,
  { user = 'anna', password = 'secret', method = SCRAM, more = {} as Properties } = {},
): Promise<Connack> {
  const scram = new ScramClient(method, user, password);
  client.send(
    connectPacket({
      authenticationMethod: method,
      authenticationData: bytesOf(scram.first),
      ...more,
    }),
  );
  const asked = await client.next(PacketType.auth);
  expect(asked.reasonCode).toBe(ReasonCode.continueAuthentication);
  expect(asked.properties.authenticationMethod).toBe(method);
  client.send(proof(scram.final(textOf(asked.properties.authenticationData)), method));
  const connack = await client.next(PacketType.connack);
  if (connack.reasonCode === 0) {
    expect(connack.properties.authenticationMethod).toBe(method);
    expect(scram.accepts(textOf(connack.properties.authenticationData))).toBe(true);
  }
  return connack;
}

/** Begins to authenticate again; the client's final message. */
async function beginAgain(client: RawMqtt, user = 'anna', password = 'secret'): Promise<string> {
  const scram = new ScramClient(SCRAM, user, password);
  const properties = { authenticationMethod: SCRAM, authenticationData: bytesOf(scram.first) };
  client.send(auth(ReasonCode.reAuthenticate, properties));
  const asked = await client.next(PacketType.auth);
  expect(asked.reasonCode).toBe(ReasonCode.continueAuthentication);
  return scram.final(textOf(asked.properties.authenticationData));
}

async function expectDisconnect(client: RawMqtt, reasonCode: number, reason?: string): Promise<void> {
  const disconnect = await client.next(PacketType.disconnect);
  expect(disconnect.reasonCode).toBe(reasonCode);
  if (reason !== undefined) expect(disconnect.properties.reasonString).toContain(reason);
  await client.ended();
}

describe('enhanced authentication', () => {
  it.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'])(
    'by %s lets a client in, and proves the broker to it [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5]',
    async (method) => {
      const client = await broker.open(5);
      expect((await connectByScram(client, { method })).reasonCode).toBe(0);
      await client.expectSilence();
    },
  );

  const ways: [name: string, listener: number, tls?: ConnectionOptions][] = [
    ['tls', 1, { ca: readFileSync(certificates.ca), servername: 'localhost' }],
    ['WebSocket', 2],
    ['WebSocket over TLS', 3, { ca: readFileSync(certificates.ca), servername: 'localhost' }],
    ['a unix socket', 4],
  ];
  it.each(ways)('goes over %s', async (_, listener, tls) => {
    const url = broker.broker.listeners[listener]!.url;
    const client = new RawMqtt(await openStream(url, tls, 'mqtt'), 5);
    expect((await connectByScram(client)).reasonCode).toBe(0);
    client.drop();
  });

  it('may leave the first message for AUTH', async () => {
    const client = await broker.open(5);
    client.send(connectPacket({ authenticationMethod: SCRAM }));
    const asked = await client.next(PacketType.auth);
    expect(asked).toMatchObject({
      reasonCode: ReasonCode.continueAuthentication,
      properties: { authenticationMethod: SCRAM },
    });
    expect(asked.properties.authenticationData).toBeUndefined();
    const scram = new ScramClient(SCRAM, 'anna', 'secret');
    client.send(proof(scram.first));
    const { properties } = await client.next(PacketType.auth);
    client.send(proof(scram.final(textOf(properties.authenticationData))));
    expect((await client.next(PacketType.connack)).reasonCode).toBe(0);
  });

  it('by a mechanism of one message needs no AUTH', async () => {
    const client = await broker.open(5);
    const { reasonCode, properties } = await client.connect({
      properties: { authenticationMethod: 'PLAIN', authenticationData: bytesOf('\0anna\0secret') },
    });
    expect([reasonCode, properties.authenticationMethod]).toEqual([0, 'PLAIN']);
    expect(properties.authenticationData).toBeUndefined();
  });

  it.each([
    ['another password', { password: 'wrong' }],
    ['an unknown user', { user: 'nobody' }],
  ])('refuses %s, and closes [MQTT-4.12.0-4]', async (_, wrong) => {
    const client = await broker.open(5);
    const { reasonCode, properties } = await connectByScram(client, wrong);
    expect(reasonCode).toBe(ReasonCode.badUserNameOrPassword);
    expect(properties.reasonString).not.toContain('nobody');
    await client.ended();
  });

  it('refuses a method that is not served, and names those that are [MQTT-4.12.0-1]', async () => {
    const client = await broker.open(5);
    const { reasonCode, properties } = await client.connect({
      properties: { authenticationMethod: 'SCRAM-SHA-1' },
    });
    expect(reasonCode).toBe(ReasonCode.badAuthenticationMethod);
    expect(properties.reasonString).toContain(SCRAM);
    await client.ended();
  });

  it.each<[string, Parameters<RawMqtt['send']>[0]]>([
    ['PINGREQ', { type: PacketType.pingreq }],
    ['a second CONNECT', connectPacket({ authenticationMethod: SCRAM })],
    [
      'PUBLISH',
      {
        type: PacketType.publish,
        topic: 'a',
        payload: bytesOf('x'),
        qos: 0,
        retain: false,
        dup: false,
        packetId: 0,
        properties: NO_PROPERTIES,
      },
    ],
    ['AUTH of another method', proof('x', 'PLAIN')],
    ['AUTH without a method', auth(ReasonCode.continueAuthentication, NO_PROPERTIES)],
    ['AUTH that begins again', auth(ReasonCode.reAuthenticate, { authenticationMethod: SCRAM })],
    ['AUTH that says that all is well', auth(ReasonCode.success, { authenticationMethod: SCRAM })],
  ])('takes no %s before its end [MQTT-3.1.2-30]', async (_, packet) => {
    const client = await broker.open(5);
    const watching = await broker.connect(5, { userName: 'bob', password: bytesOf('hidden') });
    await watching.subscribe('a');
    client.send(connectPacket({ authenticationMethod: SCRAM }));
    client.send(packet);
    await client.next(PacketType.auth);
    expect((await client.next(PacketType.connack)).reasonCode).toBe(ReasonCode.protocolError);
    await client.ended();
    await watching.expectSilence();
  });

  it('may be given up', async () => {
    const client = await broker.open(5);
    client.send(connectPacket({ authenticationMethod: SCRAM }));
    await client.next(PacketType.auth);
    client.disconnect();
    await client.ended();
    expect(client.waiting).toEqual([]);
  });

  it('asks nobody for more than they take [MQTT-3.1.2-24]', async () => {
    const client = await broker.open(5);
    const scram = new ScramClient(SCRAM, 'anna', 'secret');
    const { reasonCode } = await client.connect({
      properties: {
        authenticationMethod: SCRAM,
        authenticationData: bytesOf(scram.first),
        maximumPacketSizeBytes: 60,
      },
    });
    expect(reasonCode).toBe(ReasonCode.packetTooLarge);
    await client.ended();
  });
});

describe('authentication again', () => {
  it('goes on with the traffic of before, and ends with AUTH 0x00 [MQTT-4.12.1-1]', async () => {
    const client = await broker.open(5);
    await connectByScram(client);
    await client.subscribe('a', 1);
    const final = await beginAgain(client);
    client.publish('a', 'while it goes on');
    expect(await client.texts(1)).toEqual(['a while it goes on']);
    client.send(proof(final));
    const done = await client.next(PacketType.auth);
    expect([done.reasonCode, done.properties.authenticationMethod]).toEqual([0, SCRAM]);
    client.publish('a', 'afterwards');
    expect(await client.texts(1)).toEqual(['a afterwards']);
    // As often as it likes.
    client.send(proof(await beginAgain(client)));
    expect((await client.next(PacketType.auth)).reasonCode).toBe(0);
  });

  it('says how long the credentials hold from then on', async () => {
    const client = await broker.open(5);
    await connectByScram(client);
    const final = await beginAgain(client);
    validForMs = 100;
    client.send(proof(final));
    expect((await client.next(PacketType.auth)).reasonCode).toBe(0);
    await expectDisconnect(client, ReasonCode.notAuthorized, 'credentials-expired');
  });

  it('closes where it fails [MQTT-4.12.1-2]', async () => {
    const client = await broker.open(5);
    await connectByScram(client);
    client.send(proof(await beginAgain(client, 'anna', 'wrong')));
    await expectDisconnect(client, ReasonCode.notAuthorized, 'wrong');
  });

  it('is for the same user', async () => {
    const client = await broker.open(5);
    await connectByScram(client);
    client.send(proof(await beginAgain(client, 'bob', 'hidden')));
    await expectDisconnect(client, ReasonCode.notAuthorized, 'the same user');
  });

  it.each([
    [
      'another method',
      auth(ReasonCode.reAuthenticate, {
        authenticationMethod: 'PLAIN',
        authenticationData: bytesOf('\0anna\0secret'),
      }),
    ],
    ['no method', auth(ReasonCode.reAuthenticate, NO_PROPERTIES)],
    ['no beginning', proof('x')],
    ['a success of its own', auth(ReasonCode.success, { authenticationMethod: SCRAM })],
  ])('with %s is a protocol error [MQTT-4.12.0-5] [MQTT-4.12.1-1]', async (_, packet) => {
    const client = await broker.open(5);
    await connectByScram(client);
    client.send(packet);
    await expectDisconnect(client, ReasonCode.protocolError, 'AUTH');
  });

  it('does not begin while it is under way, nor with two steps at once', async () => {
    const client = await broker.open(5);
    await connectByScram(client);
    await beginAgain(client);
    client.send(auth(ReasonCode.reAuthenticate, { authenticationMethod: SCRAM }));
    await expectDisconnect(client, ReasonCode.protocolError, 'under way');
    const hasty = await broker.open(5);
    await connectByScram(hasty);
    const final = await beginAgain(hasty);
    hasty.send(proof(final));
    hasty.send(proof(final));
    await expectDisconnect(hasty, ReasonCode.protocolError, 'not answered yet');
  });

  it('is nothing for a client that named no method [MQTT-4.12.0-6] [MQTT-4.12.0-7]', async () => {
    const client = await broker.connect(5, { userName: 'anna', password: bytesOf('secret') });
    client.send(auth(ReasonCode.reAuthenticate, { authenticationMethod: SCRAM }));
    await expectDisconnect(client, ReasonCode.protocolError, 'without an authentication method');
  });
});

describe('user name and password', () => {
  it.each([3, 4, 5] as const)('let a client in that knows them, version %i', async (version) => {
    const client = await broker.open(version);
    expect(await client.connect({ userName: 'anna', password: bytesOf('secret') })).toMatchObject({
      reasonCode: 0,
    });
  });

  it.each([
    [3, 4],
    [4, 4],
    [5, ReasonCode.badUserNameOrPassword],
  ] as const)('are refused in the same words whatever is wrong, version %i', async (version, code) => {
    const reasons: (string | undefined)[] = [];
    const shown = [{ userName: 'anna', password: bytesOf('wrong') }, { userName: 'nobody' }, {}];
    for (const wrong of [...shown, { userName: 'nobody', password: bytesOf('secret') }]) {
      const client = await broker.open(version);
      const { reasonCode, properties } = await client.connect(wrong);
      expect(reasonCode).toBe(code);
      reasons.push(properties.reasonString);
      await client.ended();
    }
    expect(new Set(reasons).size).toBe(1);
  });

  it('may be a token in place of the password', async () => {
    const token = await new SignJWT({ sub: 'anna', exp: Math.floor(Date.now() / 1000) + 60 })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey);
    for (const userName of ['', 'anna']) {
      const client = await broker.open(5);
      const { reasonCode } = await client.connect({ userName, password: bytesOf(token) });
      expect(reasonCode).toBe(0);
    }
    const other = await broker.open(5);
    const { reasonCode } = await other.connect({ userName: 'bob', password: bytesOf(token) });
    expect(reasonCode).toBe(ReasonCode.badUserNameOrPassword);
  });

  it('that hold no longer end the connection, and the will is published', async () => {
    const watching = await broker.connect(5, { userName: 'bob', password: bytesOf('hidden') });
    await watching.subscribe('will/#');
    validForMs = 300;
    const will = (topic: string) => ({
      ...{ topic, payload: bytesOf('gone'), qos: 0 as const, retain: false, properties: NO_PROPERTIES },
    });
    const credentials = { userName: 'anna', password: bytesOf('secret') };
    const [newer, older] = [await broker.open(5), await broker.open(4)];
    await newer.connect({ ...credentials, will: will('will/5') });
    await older.connect({ ...credentials, will: will('will/4') });
    await expectDisconnect(newer, ReasonCode.notAuthorized, 'credentials');
    await older.ended();
    expect(older.waiting).toEqual([]);
    expect((await watching.texts(2)).sort()).toEqual(['will/4 gone', 'will/5 gone']);
  });
});
