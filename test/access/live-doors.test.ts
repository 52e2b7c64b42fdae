import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import type { Action, Resource } from '../../internal/access/policy.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt, type RawMqtt } from '../mqtt/client.ts';
import { changeablePolicy } from '../support/access.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

const NOT_AUTHORIZED = 0x87;
const BAD_CREDENTIALS = 0x86;

/** Users of the tests: everybody whose password is the name, after a while. */
const slowAuthenticator: Authenticator = {
  async authenticate(peer, credentials) {
    await new Promise((resolve) => setImmediate(resolve));
    if (credentials.kind !== 'password') return identityOf(peer, {});
    const { user, password = new Uint8Array(0) } = credentials;
    if (Buffer.from(password).toString() !== user) return { reason: 'wrong user name or password' };
    return identityOf(peer, { user });
  },
};

const brokers: RunningBroker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

async function started(options: BrokerOptions): Promise<RunningBroker> {
  const broker = await startBroker({
    listen: ['tcp://localhost:0'],
    memory: true,
    sysIntervalMs: 0,
    ...options,
  });
  brokers.push(broker);
  return broker;
}

/** Refuses one action, and writes down everything that was asked. */
function refusing(refused: Action, name?: string) {
  const asked: string[] = [];
  const policy = changeablePolicy((action, resource) => {
    asked.push(said(action, resource));
    return action === refused && (name === undefined || name === resource.name) ? 'not for you' : undefined;
  });
  return { policy, asked };
}

function said(action: Action, { kind, name }: Resource): string {
  return `${action} ${kind} ${name}`;
}

describe('the frames door asks', () => {
  it('before it lets anybody in', async () => {
    const broker = await started({ policy: refusing('connect').policy });
    await using client = new RawClient(await openStream(broker.url), 'c');
    client.send(FrameType.connect);
    expect(await client.expectRefusal()).toBe('not-authorized: not for you');
  });

  it('before it publishes', async () => {
    const broker = await started({ policy: refusing('publish', 'secret').policy });
    await using subscriber = await connectRaw(broker.url, 's');
    await subscriber.subscribe('#');
    await using client = await connectRaw(broker.url, 'c');
    client.publish('open', '1');
    client.publish('secret', '2');
    expect(await client.expectRefusal()).toBe("not-authorized: topic 'secret': not for you");
    expect((await subscriber.next()).topic).toBe('open');
    await subscriber.expectSilence();
  });

  it.each(['secret/#', '$share/g/secret/#', '$replay/earliest/secret/#'])(
    'before it grants %s',
    async (filter) => {
      const { policy, asked } = refusing('subscribe', 'secret/#');
      const broker = await started({ policy });
      await using client = await connectRaw(broker.url, 'c');
      client.send(FrameType.subscribe, filter);
      expect(await client.expectRefusal()).toBe(`not-authorized: filter '${filter}': not for you`);
      expect(asked.at(-1)).toBe('subscribe topic secret/#');
    },
  );
});

describe.each([4, 5] as const)('the MQTT door, version %i, asks', (version) => {
  const code = (v5: number, older: number) => (version === 5 ? v5 : older);

  it('before it lets anybody in', async () => {
    const broker = await started({ policy: refusing('connect').policy });
    const client = await openMqtt(broker.url, version);
    expect((await client.connect()).reasonCode).toBe(code(NOT_AUTHORIZED, 5));
    await client.ended();
  });

  it('before it takes a will', async () => {
    const broker = await started({ policy: refusing('publish', 'secret').policy });
    const client = await openMqtt(broker.url, version);
    const will = {
      topic: 'secret',
      payload: Buffer.from('x'),
      qos: 0,
      retain: false,
      properties: {},
    } as const;
    expect((await client.connect({ will })).reasonCode).toBe(code(NOT_AUTHORIZED, 5));
  });

  it('before it publishes, retains or keeps', async () => {
    const broker = await started({ policy: refusing('publish', 'secret').policy });
    const subscriber = await connectMqtt(broker.url, version);
    await subscriber.subscribe('#', 1);
    const client = await connectMqtt(broker.url, version);
    await client.publishSafely('open', '1');
    client.publish('secret', '2', { qos: 1, retain: true });
    // Before version 5 a PUBACK cannot say no (MQTT 3.1.1, section 3.3.5).
    expect((await client.next(PacketType.puback)).reasonCode).toBe(code(NOT_AUTHORIZED, 0));
    expect(await subscriber.texts(1)).toEqual(['open 1']);
    await subscriber.expectSilence();
    expect(broker.stats().retained_messages).toBe(0);
  });

  it('before it grants a filter, plain, shared or replayed', async () => {
    const { policy, asked } = refusing('subscribe', 'secret/#');
    const broker = await started({ policy, logs: [{ filter: 'log/#' }] });
    const client = await connectMqtt(broker.url, version);
    for (const filter of ['secret/#', '$share/g/secret/#', '$replay/earliest/secret/#']) {
      expect((await client.subscribe(filter)).reasonCodes).toEqual([code(NOT_AUTHORIZED, 0x80)]);
    }
    expect(asked.filter((one) => one === 'subscribe topic secret/#')).not.toHaveLength(0);
  });

  it('what a client shows of who it is, however long the answer takes', async () => {
    const broker = await started({ authenticator: slowAuthenticator });
    const wrong = await openMqtt(broker.url, version);
    const answer = await wrong.connect({ userName: 'alice', password: Buffer.from('bob') });
    expect(answer.reasonCode).toBe(code(BAD_CREDENTIALS, 4));
    const right = await openMqtt(broker.url, version);
    // What is sent right behind CONNECT waits for the answer, and is not lost.
    const connected = right.connect({ userName: 'alice', password: Buffer.from('alice') });
    right.publish('a', '1', { qos: 1 });
    expect((await connected).reasonCode).toBe(0);
    expect((await right.next(PacketType.puback)).reasonCode).toBeLessThan(0x80);
  });

  it('who a session belongs to, and lets no other user have it', async () => {
    const broker = await started({ authenticator: slowAuthenticator });
    const as = async (user: string) => {
      const client = await openMqtt(broker.url, version);
      const answer = await client.connect({
        ...userOf(user),
        clientId: 'shared',
        cleanStart: false,
        properties: { sessionExpiryIntervalS: 100 },
      });
      return { client, ...answer };
    };
    const alice = await as('alice');
    expect(alice.reasonCode).toBe(0);
    expect((await as('bob')).reasonCode).toBe(code(NOT_AUTHORIZED, 5));
    await alice.client.expectSilence();
    alice.client.disconnect();
    await alice.client.ended();
    expect((await as('bob')).reasonCode).toBe(code(NOT_AUTHORIZED, 5));
    expect(await as('alice')).toMatchObject({ reasonCode: 0, sessionPresent: true });
  });
});

describe('a change of the rules', () => {
  it('ends what is no longer allowed, with the reason, and nothing else', async () => {
    let isSecret = false;
    const policy = changeablePolicy((action, { name }) =>
      isSecret && action === 'subscribe' && name === 'secret/#' ? 'no longer' : undefined,
    );
    const broker = await started({ policy });
    await using frames = await connectRaw(broker.url, 'f');
    await frames.subscribe('secret/#');
    const mqtt = await connectMqtt(broker.url, 5);
    await mqtt.subscribe('secret/#');
    const stays = await connectMqtt(broker.url, 5);
    await stays.subscribe('open/#');
    isSecret = true;
    policy.change();
    expect(await frames.expectRefusal()).toBe("not-authorized: filter 'secret/#': no longer");
    expect((await mqtt.next(PacketType.disconnect)).reasonCode).toBe(NOT_AUTHORIZED);
    await publish(broker, 'open/a');
    expect(await stays.texts(1)).toEqual(['open/a 1']);
  });

  it('ends the subscription of a session whose client is away', async () => {
    let isSecret = false;
    const policy = changeablePolicy((action, { name }) =>
      isSecret && action === 'subscribe' && name === 'secret/#' ? 'no longer' : undefined,
    );
    const broker = await started({ policy });
    const lasting = { clientId: 'away', cleanStart: false, properties: { sessionExpiryIntervalS: 100 } };
    const client = await connectMqtt(broker.url, 5, lasting);
    await client.subscribe('secret/#', 1);
    await client.subscribe('open/#', 1);
    client.disconnect();
    await client.ended();
    isSecret = true;
    policy.change();
    await publish(broker, 'secret/a');
    await publish(broker, 'open/a');
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['open/a 1']);
    await back.expectSilence();
  });

  it('is asked about with the next message of a publisher, by topic alias too', async () => {
    let isSecret = false;
    const policy = changeablePolicy((action) => (isSecret && action === 'publish' ? 'no longer' : undefined));
    const broker = await started({ policy });
    const client = await connectMqtt(broker.url, 5);
    expect(await client.publishSafely('a', '1', { properties: { topicAlias: 1 } })).toBeLessThan(0x80);
    isSecret = true;
    policy.change();
    expect(await client.publishSafely('', '2', { properties: { topicAlias: 1 } })).toBe(NOT_AUTHORIZED);
  });
});

function userOf(name: string) {
  return { userName: name, password: Buffer.from(name) };
}

async function publish(broker: RunningBroker, topic: string): Promise<void> {
  const client: RawMqtt = await connectMqtt(broker.url, 5);
  await client.publishSafely(topic, '1');
  client.drop();
}
