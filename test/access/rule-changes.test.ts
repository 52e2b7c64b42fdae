import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import type { ResourceRule, Rule } from '../../internal/access/rules/rule.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw } from '../support/raw-client.ts';

/** Everybody is whoever the user name says. */
const believing: Authenticator = {
  authenticate: (peer, credentials) =>
    identityOf(peer, { user: credentials.kind === 'password' ? credentials.user : undefined }),
};

const lasting = { clientId: 'away', cleanStart: false, properties: { sessionExpiryIntervalS: 1_000 } };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function started(policy: RulePolicy, options: BrokerOptions = {}): Promise<RunningBroker> {
  const broker = await startBroker({
    ...{ listen: ['tcp://localhost:0'], sysIntervalMs: 0, policy, authenticator: believing },
    ...(options.dataDir === undefined ? { memory: true } : {}),
    ...options,
  });
  closers.push(() => broker.close());
  return broker;
}

/** Rules by which nobody may subscribe to these topics. */
function policyOf(...forbidden: string[]): RulePolicy {
  const policy = new RulePolicy();
  forbid(policy, ...forbidden);
  return policy;
}

function forbid(policy: RulePolicy, ...forbidden: string[]): void {
  const denied = forbidden.map((topic) => rule('deny', topic));
  policy.replace([...denied, rule('allow', '#')], true);
}

/** A rule for these users. One that forbids is about subscriptions, unless it says otherwise. */
function rule(
  effect: Rule['effect'],
  topic: string,
  users = ['*', 'anonymous'],
  actions: ResourceRule['actions'] = effect === 'deny' ? ['subscribe'] : ['publish', 'subscribe'],
): Rule {
  return { effect, users, actions, topics: [topic], id: `${effect} ${topic}`, origin: 'file' };
}

async function publish(broker: RunningBroker, ...topics: string[]): Promise<void> {
  const client = await connectMqtt(broker.url, 5, { userName: 'publisher' });
  for (const topic of topics) await client.publishSafely(topic, '1');
  client.disconnect();
  await client.ended();
}

async function away(broker: RunningBroker, ...filters: string[]): Promise<void> {
  const client = await connectMqtt(broker.url, 5, lasting);
  for (const filter of filters) await client.subscribe(filter, 1);
  client.disconnect();
  await client.ended();
}

async function dataDir(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tinymq-rules-'));
  closers.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

// The rules were asked when a client subscribed. What had come for it by then, it got however the rules had changed since.
describe('a message that waits in a session when the rules change', () => {
  it('is not delivered where its client may no longer have it, and is told; any other is', async () => {
    const policy = policyOf();
    const broker = await started(policy);
    await away(broker, 'secret/+', 'open/+');
    await publish(broker, 'secret/a', 'open/a', 'secret/b', 'open/b');
    forbid(policy, 'secret/#');
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(2)).toEqual(['open/a 1', 'open/b 1']);
    await back.expectSilence();
    expect(broker.stats()).toMatchObject({
      'messages_dropped_total{code="not-authorized"}': 2,
      session_messages_waiting: 0,
    });
  });

  it('is delivered where the rules allow it again', async () => {
    const policy = policyOf();
    const broker = await started(policy);
    await away(broker, 'secret/+');
    await publish(broker, 'secret/a');
    forbid(policy, 'other/#');
    forbid(policy);
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['secret/a 1']);
  });

  it('is not sent again where it was sent and not acknowledged', async () => {
    const policy = policyOf();
    const broker = await started(policy);
    const client = await connectMqtt(broker.url, 5, lasting);
    client.acknowledges = false;
    await client.subscribe('secret/+', 2);
    await client.subscribe('open/+', 1);
    await publish(broker, 'secret/a', 'open/a');
    await client.texts(2);
    forbid(policy, 'secret/#');
    await client.ended();
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['open/a 1']);
    await back.expectSilence();
  });

  it('is not delivered by a broker that starts with other rules', async () => {
    const directory = await dataDir();
    const first = await started(policyOf(), { dataDir: directory });
    await away(first, 'secret/+', 'open/+');
    await publish(first, 'secret/a', 'open/a');
    await first.close();
    const second = await started(policyOf('secret/#'), { dataDir: directory });
    const back = await connectMqtt(second.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['open/a 1']);
    await back.expectSilence();
    await publish(second, 'secret/b', 'open/b');
    expect(await back.texts(1)).toEqual(['open/b 1']);
    await back.expectSilence();
  });

  it('is not delivered to a user who takes over the session of an anonymous client', async () => {
    const policy = new RulePolicy();
    policy.replace([rule('deny', 'secret/#', ['newcomer']), rule('allow', '#')], true);
    const broker = await started(policy);
    await away(broker, 'secret/+', 'open/+');
    await publish(broker, 'secret/a', 'open/a');
    const newcomer = await connectMqtt(broker.url, 5, { ...lasting, userName: 'newcomer' });
    expect(await newcomer.texts(1)).toEqual(['open/a 1']);
    await publish(broker, 'secret/b', 'open/b');
    expect(await newcomer.texts(1)).toEqual(['open/b 1']);
    await newcomer.expectSilence();
  });

  it('of a group goes to nobody who may not have it', async () => {
    const policy = policyOf();
    const broker = await started(policy);
    await away(broker, '$share/g/secret/+', '$share/g/open/+');
    await publish(broker, 'secret/a', 'open/a');
    forbid(policy, 'secret/#');
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['open/a 1']);
    await back.expectSilence();
  });
});

it('a client of the frames that loses a filter is told, and one that loses none goes on', async () => {
  const policy = policyOf();
  const broker = await started(policy);
  const [loser, keeper] = [await connectRaw(broker.url, 'loser'), await connectRaw(broker.url, 'keeper')];
  await loser.subscribe('secret/#');
  await keeper.subscribe('open/#');
  forbid(policy, 'secret/#');
  expect(await loser.expectRefusal()).toMatch(/^not-authorized: /);
  await publish(broker, 'open/a');
  expect((await keeper.next()).topic).toBe('open/a');
  keeper.stream.destroy();
});

it('what stays allowed loses no message while rules change under load', async () => {
  const policy = policyOf();
  const broker = await started(policy);
  const reader = await connectMqtt(broker.url, 5, { clientId: 'reader' });
  await reader.subscribe('open/#', 1);
  await away(broker, 'open/#');
  const publisher = await connectMqtt(broker.url, 5, { clientId: 'load' });
  for (let round = 0; round < 20; round++) {
    for (let index = 0; index < 50; index++) publisher.publish(`open/${round}`, `${index}`, { qos: 1 });
    forbid(policy, round % 2 === 0 ? 'secret/#' : 'hidden/#');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const all = Array.from({ length: 1_000 }, (_, index) => `open/${Math.floor(index / 50)} ${index % 50}`);
  expect(await reader.texts(1_000)).toEqual(all);
  const back = await connectMqtt(broker.url, 5, lasting);
  expect(await back.texts(1_000)).toEqual(all);
});

// A will was asked about when its client connected. It was published however the rules had changed since.
describe('a will', () => {
  const will = {
    topic: 'secret/will',
    payload: Buffer.from('x'),
    qos: 1,
    retain: true,
    properties: { willDelayIntervalS: 30 },
  } as const;

  async function dying(broker: RunningBroker, userName?: string): Promise<void> {
    const client = await connectMqtt(broker.url, 5, {
      ...{ clientId: 'dying', will, userName },
      properties: { sessionExpiryIntervalS: 1_000 },
    });
    client.drop();
    await eventually(() => broker.stats().clients === 0, 'the end of the connection');
  }

  async function retained(broker: RunningBroker): Promise<string[]> {
    const reader: RawMqtt = await connectMqtt(broker.url, 5, { clientId: 'reader', userName: 'reader' });
    await reader.subscribe('secret/#', 0);
    const found = broker.stats().retained_messages === 0 ? [] : await reader.texts(1);
    reader.drop();
    return found;
  }

  it.each([false, true])('is asked about when it is sent (forbidden by then: %s)', async (isForbidden) => {
    const policy = policyOf();
    const clock = new MovableClock();
    const broker = await started(policy, { clock });
    await dying(broker, 'owner');
    if (isForbidden)
      policy.replace([rule('deny', 'secret/#', ['owner'], ['publish']), rule('allow', '#')], true);
    await clock.advance(31_000);
    await eventually(() => isForbidden || broker.stats().retained_messages === 1, 'the will');
    expect(await retained(broker)).toEqual(isForbidden ? [] : ['secret/will x']);
    expect(broker.stats()['messages_dropped_total{code="not-authorized"}'] ?? 0).toBe(isForbidden ? 1 : 0);
  });

  it.each([false, true])('that outlasts the broker too (forbidden by then: %s)', async (isForbidden) => {
    const directory = await dataDir();
    const onlyOwner = [rule('allow', 'secret/#', ['owner', 'reader']), rule('allow', 'open/#')];
    const policy = new RulePolicy();
    policy.replace(onlyOwner, true);
    const first = await started(policy, { dataDir: directory });
    await dying(first, 'owner');
    await first.close();
    const clock = new MovableClock(Date.now());
    const after = new RulePolicy();
    const forbidding = [rule('deny', 'secret/#', ['owner'], ['publish']), ...onlyOwner];
    after.replace(isForbidden ? forbidding : onlyOwner, true);
    const second = await started(after, { dataDir: directory, clock });
    await clock.advance(120_000);
    await eventually(() => isForbidden || second.stats().retained_messages === 1, 'the will');
    expect(await retained(second)).toEqual(isForbidden ? [] : ['secret/will x']);
  });
});

// People who come from mosquitto have clients that subscribe to everything, and get what they may have.
describe('with -acl-partial', () => {
  const partly = { aclPartial: true };

  it('a subscription that is wider than the permission stands, and brings what is allowed', async () => {
    const policy = policyOf('secret/#');
    const broker = await started(policy, partly);
    const mqtt = await connectMqtt(broker.url, 5, { clientId: 'mqtt' });
    await mqtt.subscribe('#', 1);
    const plain = await connectMqtt(broker.url, 4, { clientId: 'plain' });
    await plain.subscribe('#', 0);
    const frames = await connectRaw(broker.url, 'frames');
    await frames.subscribe('#');
    forbid(policy, 'hidden/#', 'secret/#');
    forbid(policy, 'secret/#');
    await publish(broker, 'secret/a', 'open/a');
    forbid(policy, 'open/#');
    await publish(broker, 'open/b', 'secret/b', 'end');
    expect(await mqtt.texts(3)).toEqual(['open/a 1', 'secret/b 1', 'end 1']);
    expect(await plain.texts(3)).toEqual(['open/a 1', 'secret/b 1', 'end 1']);
    expect((await frames.messages(3)).map(({ topic }) => topic)).toEqual(['open/a', 'secret/b', 'end']);
    frames.stream.destroy();
  });

  it('a subscription of which nothing is allowed is refused, and without it one that is wider', async () => {
    const broker = await started(policyOf('secret/#'), partly);
    const client = await connectMqtt(broker.url, 5);
    expect((await client.subscribe('secret/+', 1)).reasonCodes).toEqual([0x87]);
    const strict = await started(policyOf('secret/#'));
    const refused = await connectMqtt(strict.url, 5);
    expect((await refused.subscribe('#', 1)).reasonCodes).toEqual([0x87]);
  });

  it('retained and queued messages and replays are filtered as well', async () => {
    const policy = policyOf();
    const broker = await started(policy, { ...partly, keep: [{ filter: '+/kept' }] });
    const publisher = await connectMqtt(broker.url, 5);
    for (const topic of ['open/kept', 'secret/kept'])
      await publisher.publishSafely(topic, 'x', { retain: true });
    await away(broker, '+/queued');
    for (const topic of ['open/queued', 'secret/queued']) await publisher.publishSafely(topic, 'x');
    forbid(policy, 'secret/#');
    const back = await connectMqtt(broker.url, 5, lasting);
    expect(await back.texts(1)).toEqual(['open/queued x']);
    for (const filter of ['+/kept', '$replay/earliest/+/kept']) {
      await back.subscribe(filter, 1);
      expect(await back.texts(1)).toEqual(['open/kept x']);
    }
    await back.expectSilence();
    const frames = await connectRaw(broker.url, 'frames');
    for (const filter of ['+/kept', '$replay/earliest/+/kept']) {
      await frames.subscribe(filter);
      expect((await frames.next()).topic).toBe('open/kept');
    }
    await frames.expectSilence();
    frames.stream.destroy();
  });

  it('a message for a group goes to a member that may have it', async () => {
    const policy = new RulePolicy();
    policy.replace([rule('deny', 'secret/#', ['outsider']), rule('allow', '#')], true);
    const broker = await started(policy, partly);
    const insider = await connectMqtt(broker.url, 5, { clientId: 'in', userName: 'insider' });
    const outsider = await connectMqtt(broker.url, 5, { clientId: 'out', userName: 'outsider' });
    for (const member of [insider, outsider]) await member.subscribe('$share/g/#', 1);
    await publish(broker, ...Array.from({ length: 6 }, () => 'secret/a'));
    expect(await insider.texts(6)).toHaveLength(6);
    await outsider.expectSilence();
    await publish(broker, 'open/a', 'open/b');
    const shared = [await insider.texts(1), await outsider.texts(1)];
    expect(shared.flat().sort()).toEqual(['open/a 1', 'open/b 1']);
  });
});
