import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOORS } from '../../internal/doors/all.ts';
import { PacketKind } from '../../internal/doors/links/packets.ts';
import { type RunningBroker, startWithDoors } from '../../internal/server/start-broker.ts';
import { type Client, connect, type Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { Chance } from '../support/fake-jetstream.ts';
import { SharedStore } from '../support/shared-store.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/** Of packets between nodes so many are lost, and so many messages are published of each kind while they are. */
const LOSS = 0.05;
const LOSSY = rounds(5_000, 20_000);
/** Those that are under way at most: a subscriber that is a test's own process must not be slow. */
const UNDER_WAY = 1_000;
/** Messages that leave in one packet, about. */
const IN_TURN = 10;

let shared: SharedStore;
let brokers: RunningBroker[];
let clients: Client[];

beforeEach(async () => {
  clients = [];
  brokers = [];
  shared = await new SharedStore().open(3);
  for (const member of shared.members) {
    const options = { listen: ['tcp://127.0.0.1:0'], sysIntervalMs: 0, keep: [{ filter: 'kept/#' }] };
    brokers.push(await startWithDoors(DOORS, options, member));
  }
  await eventually(() => brokers.every((broker) => broker.stats().links === 2), 'links of all nodes');
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close().catch(() => {})));
  await Promise.all(brokers.map((broker) => broker.close()));
});

async function clientOf(node: number): Promise<Client> {
  const client = await connect(brokers[node]!.url, {});
  clients.push(client);
  return client;
}

/** What a subscriber on a node gets. */
async function subscribed(node: number, filter: string, options = {}): Promise<Message[]> {
  const got: Message[] = [];
  const client = await clientOf(node);
  await client.subscribe(filter, (message) => void got.push(message), options);
  return got;
}

/** Characters that some protocol takes for more than text, but for wildcards and what no topic may have. */
const CHARACTERS = [...'*>. /$\\\t\r\n\u007f"%{}_é🙂ab1'];

function randomTopic(): string {
  const length = 1 + Math.floor(Math.random() * 30);
  return `t${Array.from({ length }, () => CHARACTERS[Math.floor(Math.random() * CHARACTERS.length)]).join('')}`;
}

const textsOf = (messages: readonly Message[]) => messages.map((message) => message.text());

/** Whether nodes know what was subscribed to elsewhere: a message comes through. */
async function untilRouted(from: Client, topic: string, got: readonly Message[][]): Promise<void> {
  await eventually(async () => {
    from.publish(topic, 'probe');
    await from.ping();
    return got.every((messages) => messages.length > 0);
  }, `a message of ${topic}`);
  await eventually(async () => {
    const before = got.map(({ length }) => length).join();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return before === got.map(({ length }) => length).join();
  }, 'the last probe');
  for (const messages of got) messages.length = 0;
}

describe('live messages between nodes', { timeout: torturePatienceMs(120_000) }, () => {
  it('reach each subscriber once and in order, whatever of its filters match', async () => {
    const here = await subscribed(0, 'a/#');
    const there = await subscribed(1, 'a/+');
    const [both] = await Promise.all([subscribed(2, '#'), subscribed(2, 'a/b')]);
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'a/b', [here, there, both]);
    const sent = Array.from({ length: 2_000 }, (_, index) => `${index}`);
    for (const text of sent) await publisher.publish('a/b', text);
    await eventually(() => both.length >= sent.length && there.length >= sent.length, 'all messages');
    for (const messages of [here, there, both]) expect(textsOf(messages)).toEqual(sent);
    expect(there[0]!.clientId).toBe(publisher.clientId);
    const lost = brokers.map((broker) => broker.stats().link_messages_lost_total);
    expect(lost).toEqual([0, 0, 0]);
  });

  it('keep what is said of them, and are acknowledged when the other nodes have them', async () => {
    const got = await subscribed(1, 'said', { qos: 1 });
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'said', [got]);
    const options = {
      qos: 1,
      headers: { colour: 'red' },
      contentType: 'text/plain',
      expiresIn: 60_000,
    } as const;
    let isAcknowledged = false;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.taken;
    const publishing = Promise.resolve(publisher.publish('said', 'x', options)).then(() => {
      isAcknowledged = true;
    });
    const message = await eventually(() => got[0], 'the message');
    expect(message.text()).toBe('x');
    expect(message.headers).toMatchObject({ colour: 'red' });
    await publisher.ping();
    expect(isAcknowledged).toBe(false);
    shared.members[1]!.isThere = false;
    await publishing;
  });

  it('go to one member of a group, wherever it is', async () => {
    const members = await Promise.all([0, 1, 2, 2].map((node) => subscribed(node, '$share/g/shared')));
    const plain = await subscribed(1, 'shared');
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'shared', [...members, plain]);
    const sent = Array.from({ length: 300 }, (_, index) => `${index}`);
    for (const text of sent) await publisher.publish('shared', text);
    await eventually(() => plain.length >= sent.length, 'all messages');
    const all = () => members.flatMap(textsOf).sort((a, b) => Number(a) - Number(b));
    await eventually(() => all().length >= sent.length, 'those of the group');
    expect(all()).toEqual(sent);
    expect(textsOf(plain)).toEqual(sent);
    for (const messages of members) expect(messages.length).toBeGreaterThan(0);
  });

  it('come with their topics as they are, whatever NATS makes of them elsewhere', async () => {
    const got = await subscribed(1, '#');
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'probe', [got]);
    const topics = [
      '*',
      '>',
      'a.*.>',
      '.',
      ' ',
      '/',
      'a//b',
      'a\r\nPUB b 1\r\nx',
      '_INBOX.x',
      'é🙂',
      'x'.repeat(65_535),
    ];
    const random = Array.from({ length: 2_000 }, () => randomTopic());
    const sent = [...topics, ...random];
    for (const topic of sent) await publisher.publish(topic, '');
    await eventually(() => got.length >= sent.length, 'all messages');
    expect(got.map(({ topic }) => topic)).toEqual(sent);
  });

  it('are kept once, by the node that they were published on', async () => {
    const got = await subscribed(2, 'kept/#');
    const publisher = await clientOf(1);
    await untilRouted(publisher, 'kept/probe', [got]);
    for (let index = 0; index < 10; index++) await publisher.publish('kept/a', `${index}`, { qos: 1 });
    const { topics } = await shared.store.open();
    const log = topics.find(({ name }) => name === 'kept.a')!;
    expect(log.partitions[0]!.nextOffset).toBe(10);
    await eventually(() => got.length >= 10, 'all messages');
    expect(textsOf(got)).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`));
  });

  it('come to a subscription from its acknowledgement on', async () => {
    const publisher = await clientOf(0);
    for (let round = 0; round < 20; round++) {
      const [plain, shared] = await Promise.all([
        subscribed(1, `new/${round}`),
        subscribed(2, `$share/g/new/${round}`),
      ]);
      publisher.publish(`new/${round}`, 'first');
      await eventually(() => plain.length > 0 && shared.length > 0, 'the first message');
    }
  });

  it('do not hold up a subscription whose news nobody answers', async () => {
    let unanswered = 0;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.known && ++unanswered > 0;
    const got = await subscribed(1, 'unanswered');
    expect(unanswered).toBeGreaterThan(0);
    (await clientOf(0)).publish('unanswered', 'x');
    await eventually(() => got.length > 0, 'the message');
  });

  it('stop for a filter that nobody there wants any more, and come again', async () => {
    const client = await clientOf(1);
    const publisher = await clientOf(0);
    for (let round = 0; round < 2; round++) {
      const got: Message[] = [];
      const subscription = await client.subscribe('come/and/go', (message) => void got.push(message));
      await untilRouted(publisher, 'come/and/go', [got]);
      await subscription.unsubscribe();
      await eventually(async () => {
        const before = brokers[0]!.stats().link_messages_sent_total;
        await publisher.publish('come/and/go', 'x');
        await publisher.ping();
        for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
        return brokers[0]!.stats().link_messages_sent_total === before;
      }, 'the end of what nobody wants');
    }
  });

  it('are counted where they are lost', async () => {
    const got = await subscribed(1, 'lossy');
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'lossy', [got]);
    const sentBefore = brokers[0]!.stats().link_messages_sent_total!;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.messages;
    for (let index = 0; index < 5; index++) await publisher.publish('lossy', 'lost');
    await eventually(
      () => brokers[0]!.stats().link_messages_sent_total! === sentBefore + 5,
      'all to be sent',
    );
    // What was sent in a turn is lost in the next one.
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    shared.loses = () => false;
    await publisher.publish('lossy', 'there');
    await eventually(() => got.length > 0, 'the message after them');
    expect(textsOf(got)).toEqual(['there']);
    await eventually(() => brokers[0]!.stats().link_messages_lost_total === 5, 'those that are lost');
  });

  it('go once more where they are acknowledged, also those that nothing follows', async () => {
    const got = await subscribed(1, 'again', { qos: 1 });
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'again', [got]);
    let lost = 0;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.messages && ++lost === 1;
    await publisher.publish('again', 'x', { qos: 1 });
    expect(lost).toBe(2);
    expect(textsOf(got)).toEqual(['x']);
  });

  it('are acknowledged, and there once, where it is lost that they are taken', async () => {
    const got = await subscribed(1, 'taken', { qos: 1 });
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'taken', [got]);
    let lost = 0;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.taken && ++lost === 1;
    await publisher.publish('taken', 'x', { qos: 1 });
    expect(lost).toBe(2);
    expect(textsOf(got)).toEqual(['x']);
  });

  it('go once more where it is lost that they are missing', async () => {
    const got = await subscribed(1, 'missing', { qos: 1 });
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'missing', [got]);
    const lost = { messages: 0, missing: 0 };
    shared.loses = (_from, _to, [kind]) =>
      (kind === PacketKind.messages && ++lost.messages === 1) ||
      (kind === PacketKind.missing && ++lost.missing === 1);
    await publisher.publish('missing', 'x', { qos: 1 });
    expect(lost).toEqual({ messages: 2, missing: 2 });
    expect(textsOf(got)).toEqual(['x']);
  });

  it('are there, or are counted, whatever is lost on the way', async () => {
    const once = await subscribed(1, 'once');
    const sure = await subscribed(1, 'sure', { qos: 1 });
    const publisher = await clientOf(0);
    await untilRouted(publisher, 'once', [once]);
    await untilRouted(publisher, 'sure', [sure]);
    const lostBefore = brokers[0]!.stats().link_messages_lost_total!;
    const chance = new Chance(7);
    const lost = () => brokers[0]!.stats().link_messages_lost_total! - lostBefore;
    shared.loses = () => chance.is(LOSS);
    let number = 0;
    // A machine that is quick has few packets, with many messages each.
    while (number < LOSSY || lost() === 0) {
      const acknowledged: unknown[] = [];
      for (const end = number + UNDER_WAY; number < end; number++) {
        const isTurnsLast = number % IN_TURN === 0;
        const publishing = publisher.publish('once', `${number}`);
        acknowledged.push(publisher.publish('sure', `${number}`, { qos: 1 }));
        if (isTurnsLast) await publishing;
      }
      await Promise.all(acknowledged);
    }
    shared.loses = () => false;
    const numbers = textsOf(once).map(Number);
    await eventually(() => once.length + lost() === number, 'those that are there, and those that are lost');
    expect(numbers.every((each, index) => index === 0 || each > numbers[index - 1]!)).toBe(true);
    expect(brokers.map((broker) => broker.stats().messages_dropped_total)).toEqual([0, 0, 0]);
    // One that was sent once more because it was not known that it had come is there twice.
    const all = new Set(Array.from({ length: number }, (_, index) => `${index}`));
    await eventually(() => sure.length >= number, 'all that was acknowledged');
    expect(new Set(textsOf(sure))).toEqual(all);
  });

  it('find a filter whose news was lost with the next beat', async () => {
    let lost = 0;
    shared.loses = (_from, _to, packet) => packet[0] === PacketKind.interest && ++lost > 0;
    const got = await subscribed(1, 'late');
    await eventually(() => lost >= 2, 'news that are lost');
    shared.loses = () => false;
    await untilRouted(await clientOf(0), 'late', [got]);
  });
});
