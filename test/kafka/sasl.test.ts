import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator, SaslExchange, SaslStep } from '../../internal/access/authenticator.ts';
import { anonymous, type Identity, identityOf, type Peer } from '../../internal/access/identity.ts';
import { ALL_HANDLERS } from '../../internal/doors/kafka/handlers/all.ts';
import {
  failedLoginDelayMs,
  kafkaMaxBytesBeforeLogin,
  reauthenticationEveryMs,
} from '../../internal/limits/kafka.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { saslHandshake } from '../../internal/protocol/kafka/apis/17-sasl-handshake.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { saslAuthenticate } from '../../internal/protocol/kafka/apis/36-sasl-authenticate.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { changeablePolicy } from '../support/access.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

/**
 * How a Kafka connection becomes somebody's. The mechanisms here are made up: each token names a user, and what it names
 * decides. What the real ones do has its tests beside them.
 */

const INVALID_TOPIC = 17;
const UNSUPPORTED_MECHANISM = 33;
const ILLEGAL_STATE = 34;
const LOGIN_FAILED = 58;

/** Logs in whoever is named; `nobody` is refused, `short:ms` has so long, `long` has an hour. */
const authenticator = (options: { anonymous?: boolean; slow?: boolean } = {}): Authenticator => ({
  mechanisms: ['NAME', 'TWICE'],
  async authenticate(peer) {
    if (options.slow) await new Promise((resolve) => setTimeout(resolve, 50));
    return options.anonymous ? anonymous(peer) : { reason: 'log in first' };
  },
  beginExchange: (peer, mechanism) => new NamedUser(peer, mechanism === 'TWICE' ? 2 : 1),
});

class NamedUser implements SaslExchange {
  readonly #peer: Peer;
  #stepsLeft: number;

  constructor(peer: Peer, steps: number) {
    this.#peer = peer;
    this.#stepsLeft = steps;
  }

  async step(token: Uint8Array): Promise<SaslStep> {
    if (--this.#stepsLeft > 0) return { kind: 'challenge', bytes: Buffer.from('more') };
    const [user, lasts] = Buffer.from(token).toString().split(':');
    if (user === 'nobody') return { reason: 'wrong name or password' };
    const expiresAtMs = lasts === undefined ? undefined : Date.now() + Number(lasts);
    return {
      kind: 'done',
      bytes: Buffer.from('welcome'),
      identity: identityOf(this.#peer, { user, expiresAtMs }),
    };
  }
}

const seen: Identity[] = [];
const policy = changeablePolicy((_, resource, who) => {
  if (resource.kind === 'topic') seen.push(who);
  return undefined;
});

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  seen.length = 0;
});

async function start(options: Partial<BrokerOptions> = {}): Promise<RunningBroker> {
  const kafka = { listen: ['tcp://127.0.0.1:0'] };
  const broker = await startBroker({
    listen: [],
    kafka,
    memory: true,
    policy,
    authenticator: authenticator(),
    ...options,
  });
  open.push(() => broker.close());
  return broker;
}

async function connect(broker: RunningBroker): Promise<KafkaWire> {
  const wire = await KafkaWire.open(broker.url);
  open.push(() => wire.close());
  return wire;
}

const bytes = (text: string) => Buffer.from(text);

async function logIn(wire: KafkaWire, name: string, mechanism = 'NAME') {
  await wire.ask(saslHandshake, 1, { mechanism });
  return wire.ask(saslAuthenticate, 2, { authBytes: bytes(name) });
}

const topics = (wire: KafkaWire) => wire.ask(metadata, 9, { topics: [{ name: 'a' }] });

describe('before it has logged in a client', () => {
  const before = ALL_HANDLERS.filter((handler) => !handler.isBeforeAuthentication);

  it.each(before.map(({ api }) => [api.name, api.key, api.validVersions.min]))(
    'does not get to %s: its connection is closed',
    async (_, key, version) => {
      const wire = await connect(await start());
      const request = Buffer.alloc(4 + 200);
      request.writeInt32BE(200);
      request.writeInt16BE(key, 4);
      request.writeInt16BE(version, 6);
      wire.socket.write(request);
      expect(await wire.next()).toBeUndefined();
    },
  );

  it('is told the versions, however often it asks', async () => {
    const wire = await connect(await start());
    for (const version of [0, 3, 4]) {
      const software = { clientSoftwareName: 'x', clientSoftwareVersion: '1' };
      const { apiKeys } = await wire.ask(apiVersions, version, software);
      expect(apiKeys).toContainEqual({ apiKey: 36, minVersion: 0, maxVersion: 2 });
    }
    expect((await logIn(wire, 'ann')).errorCode).toBe(0);
  });

  it('may not announce a large request', async () => {
    const wire = await connect(await start());
    const begin = Buffer.alloc(20);
    begin.writeInt32BE(kafkaMaxBytesBeforeLogin + 1);
    begin.writeInt16BE(metadata.key, 4);
    wire.socket.write(begin);
    await wire.closed;
    const other = await connect(await start());
    await logIn(other, 'ann');
    const name = 'a'.repeat(30_000);
    const many = Array.from({ length: 20 }, () => ({ name }));
    expect((await other.ask(metadata, 9, { topics: many })).topics[0].errorCode).toBe(INVALID_TOPIC);
  });

  it('has as long as every client has until its first message, whatever it asks meanwhile', async () => {
    const wire = await connect(await start({ connectTimeoutMs: 300 }));
    while (!wire.socket.closed) {
      wire.send(apiVersions, 0, {});
      await Promise.race([wire.next(), wire.closed]);
    }
  });

  it('waits for who it is, where that takes time', async () => {
    const broker = await start({ authenticator: authenticator({ anonymous: true, slow: true }) });
    const wire = await connect(broker);
    expect((await topics(wire)).topics).toHaveLength(1);
  });
});

describe('a login', () => {
  it.each([0, 1, 2])('makes the client somebody, by SaslAuthenticate %i', async (version) => {
    const wire = await connect(await start());
    expect(await wire.ask(saslHandshake, 1, { mechanism: 'NAME' })).toEqual({
      errorCode: 0,
      mechanisms: ['NAME', 'TWICE'],
    });
    const answer = await wire.ask(saslAuthenticate, version, { authBytes: bytes('ann:3600000') });
    expect(answer).toMatchObject({ errorCode: 0, errorMessage: null, authBytes: bytes('welcome') });
    if (version === 0) expect(answer.sessionLifetimeMs).toBe(0);
    else expect(answer.sessionLifetimeMs).toBeGreaterThan(3_500_000);
    await topics(wire);
    expect(seen[0]).toMatchObject({ user: 'ann', clientId: 'wire', door: 'kafka' });
  });

  it('may take several tokens', async () => {
    const wire = await connect(await start());
    const first = await logIn(wire, 'ann', 'TWICE');
    expect(first).toMatchObject({ errorCode: 0, authBytes: bytes('more'), sessionLifetimeMs: 0 });
    wire.send(metadata, 9, { topics: [] });
    expect(await wire.next()).toBeUndefined();
    const other = await connect(await start());
    await logIn(other, 'ann', 'TWICE');
    const second = await other.ask(saslAuthenticate, 2, { authBytes: bytes('ann') });
    expect(second).toMatchObject({ errorCode: 0, authBytes: bytes('welcome') });
    expect((await topics(other)).topics).toHaveLength(1);
  });

  it('may be sent in one go, with a request behind it', async () => {
    const wire = await connect(await start());
    wire.send(saslHandshake, 1, { mechanism: 'NAME' });
    wire.send(saslAuthenticate, 1, { authBytes: bytes('ann') });
    const correlationId = wire.send(metadata, 9, { topics: [{ name: 'a' }] });
    await wire.next();
    await wire.next();
    expect((await wire.next())?.readInt32BE(0)).toBe(correlationId);
  });

  it('by an unknown mechanism is refused with those that there are', async () => {
    for (const version of [0, 1]) {
      const wire = await connect(await start());
      expect(await wire.ask(saslHandshake, version, { mechanism: 'GSSAPI' })).toEqual({
        errorCode: UNSUPPORTED_MECHANISM,
        mechanisms: ['NAME', 'TWICE'],
      });
      await wire.closed;
    }
  });

  it('that fails says so after a while, and the connection is closed', async () => {
    const wire = await connect(await start());
    const begun = performance.now();
    expect(await logIn(wire, 'nobody')).toMatchObject({
      errorCode: LOGIN_FAILED,
      errorMessage: 'wrong name or password',
      authBytes: Buffer.alloc(0),
    });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(failedLoginDelayMs - 1);
    await wire.closed;
  });

  it('that the policy does not let in fails as well', async () => {
    const refusing = changeablePolicy((_, { kind }, who) =>
      kind === 'broker' && who.user === 'bob' ? 'not today' : undefined,
    );
    const wire = await connect(await start({ policy: refusing }));
    expect(await logIn(wire, 'bob')).toMatchObject({
      errorCode: LOGIN_FAILED,
      errorMessage: 'not-authorized: not today',
    });
    await wire.closed;
  });

  it('begins with a handshake', async () => {
    const wire = await connect(await start());
    const answer = await wire.ask(saslAuthenticate, 2, { authBytes: bytes('ann') });
    expect(answer.errorCode).toBe(ILLEGAL_STATE);
    await wire.closed;
  });

  it('has one handshake', async () => {
    const wire = await connect(await start());
    await wire.ask(saslHandshake, 1, { mechanism: 'NAME' });
    expect((await wire.ask(saslHandshake, 1, { mechanism: 'NAME' })).errorCode).toBe(ILLEGAL_STATE);
    await wire.closed;
  });

  it('has no tokens of more bytes than a request before it, also on a connection that is in', async () => {
    const wire = await connect(await start({ authenticator: authenticator({ anonymous: true }) }));
    await topics(wire);
    await wire.ask(saslHandshake, 1, { mechanism: 'NAME' });
    const authBytes = Buffer.alloc(kafkaMaxBytesBeforeLogin + 1, 'a');
    expect((await wire.ask(saslAuthenticate, 2, { authBytes })).errorCode).toBe(LOGIN_FAILED);
    await wire.closed;
  });

  it('of an anonymous client that is in makes it somebody', async () => {
    const wire = await connect(await start({ authenticator: authenticator({ anonymous: true }) }));
    await topics(wire);
    await logIn(wire, 'ann');
    await topics(wire);
    expect(seen.at(0)?.user).toBeUndefined();
    expect(seen.at(-1)?.user).toBe('ann');
  });
});

/** A client that waits for messages asks for nothing, and would stay for as long as nothing comes. */
it('who may no longer be connected is gone at once', async () => {
  let isBarred = false;
  const changing = changeablePolicy((_, { kind }, who) =>
    isBarred && kind === 'broker' && who.user === 'ann' ? 'not any more' : undefined,
  );
  const broker = await start({ policy: changing });
  const [ann, bob] = [await connect(broker), await connect(broker)];
  await logIn(ann, 'ann');
  await logIn(bob, 'bob');
  isBarred = true;
  changing.change();
  await ann.closed;
  expect((await topics(bob)).topics).toHaveLength(1);
});

/** As clients of before Kafka 1.0 do, and some of today: the tokens are not requests. */
describe('a login by bare tokens', () => {
  function token(text: string): Buffer {
    const size = Buffer.alloc(4);
    size.writeInt32BE(text.length);
    return Buffer.concat([size, bytes(text)]);
  }

  it('is answered by bare tokens, and then requests are', async () => {
    const wire = await connect(await start());
    await wire.ask(saslHandshake, 0, { mechanism: 'TWICE' });
    wire.socket.write(token(''));
    expect((await wire.next())?.toString()).toBe('more');
    wire.socket.write(token('ann'));
    expect((await wire.next())?.toString()).toBe('welcome');
    expect((await topics(wire)).topics).toHaveLength(1);
  });

  it('that fails ends the connection without a word', async () => {
    const wire = await connect(await start());
    await wire.ask(saslHandshake, 0, { mechanism: 'NAME' });
    wire.socket.write(token('nobody'));
    expect(await wire.next()).toBeUndefined();
  });
});

describe('a login that ends at some time', () => {
  const untilNextLogin = () => new Promise((resolve) => setTimeout(resolve, reauthenticationEveryMs + 20));

  it('closes the connection at the next request after that', async () => {
    const wire = await connect(await start());
    const { sessionLifetimeMs } = await logIn(wire, 'ann:400');
    await topics(wire);
    await new Promise((resolve) => setTimeout(resolve, sessionLifetimeMs + 20));
    wire.send(metadata, 9, { topics: [] });
    expect(await wire.next()).toBeUndefined();
  });

  it('may be made again on its connection, before and after its end', async () => {
    const wire = await connect(await start());
    await logIn(wire, 'ann:100');
    await untilNextLogin();
    expect(await logIn(wire, 'ann:3600000')).toMatchObject({ errorCode: 0 });
    await topics(wire);
    await untilNextLogin();
    expect(await logIn(wire, 'ann')).toMatchObject({ errorCode: 0, sessionLifetimeMs: 0 });
    await topics(wire);
  });

  it('is not made again by somebody else', async () => {
    const wire = await connect(await start());
    await logIn(wire, 'ann:3600000');
    await untilNextLogin();
    expect(await logIn(wire, 'bob:3600000')).toMatchObject({ errorCode: LOGIN_FAILED });
    await wire.closed;
  });

  it('is not made again by another mechanism', async () => {
    const wire = await connect(await start());
    await logIn(wire, 'ann:3600000');
    await untilNextLogin();
    expect((await wire.ask(saslHandshake, 1, { mechanism: 'TWICE' })).errorCode).toBe(0);
    const answer = await wire.ask(saslAuthenticate, 2, { authBytes: bytes('ann') });
    expect(answer.errorCode).toBe(LOGIN_FAILED);
    await wire.closed;
  });

  it('is not made again in a loop, and the connection stays', async () => {
    const wire = await connect(await start());
    await logIn(wire, 'ann:3600000');
    const handshake = await wire.ask(saslHandshake, 1, { mechanism: 'NAME' });
    expect(handshake).toEqual({ errorCode: ILLEGAL_STATE, mechanisms: [] });
    const answer = await wire.ask(saslAuthenticate, 2, { authBytes: bytes('ann') });
    expect(answer.errorCode).toBe(ILLEGAL_STATE);
    await topics(wire);
  });

  it('is the only one that is made again', async () => {
    const wire = await connect(await start());
    await logIn(wire, 'ann');
    await untilNextLogin();
    expect((await wire.ask(saslHandshake, 1, { mechanism: 'NAME' })).errorCode).toBe(ILLEGAL_STATE);
    await topics(wire);
  });
});
