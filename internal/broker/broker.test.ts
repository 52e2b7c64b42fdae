import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { accessOfTest } from '../../test/support/access.ts';
import { anyFilter, anyTopic } from '../../test/support/arbitraries.ts';
import { sessionOf, sessionsOf } from '../../test/support/sessions.ts';
import { type Guard, policyOfGuard } from '../access/guard.ts';
import type { BrokerError } from '../errors.ts';
import { Metrics } from '../observe/metrics.ts';
import { isReservedTopic, matchesFilter } from '../topic.ts';
import { Broker, type BrokerSettings } from './broker.ts';
import type { Client } from './client.ts';
import { type Encoding, Publication } from './delivery/publication.ts';
import { simpleSubscription } from './sessions/subscription.ts';

const text: Encoding = { name: 'text', decode: () => [], encode: () => new Uint8Array(0) };
const nobody = { pause() {}, resume() {} };

describe('topics and subscriptions', () => {
  it('lead to the same clients as the rules of matching say, through any changes', async () => {
    const step = fc.record({
      kind: fc.constantFrom('subscribe', 'unsubscribe', 'publish'),
      client: fc.nat(3),
      filter: anyFilter,
      topic: anyTopic.filter((topic) => !isReservedTopic(topic)),
    });
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { broker, connect } = setUp();
      const clients = ['a', 'b', 'c', 'd'].map((id) => connect(id));
      const expected = clients.map(() => [] as string[]);
      const filters = clients.map(() => new Set<string>());
      for (const { kind, client, filter, topic } of steps) {
        if (kind === 'subscribe') {
          clients[client].subscribe(filter);
          filters[client].add(filter);
        } else if (kind === 'unsubscribe') {
          expect(clients[client].unsubscribe(filter)).toBe(filters[client].delete(filter));
        } else {
          publish(broker, topic);
          for (const [index, held] of filters.entries()) {
            if ([...held].some((one) => matchesFilter(one, topic))) expected[index].push(topic);
          }
        }
      }
      await endOfTurn();
      expect(clients.map(({ received }) => received())).toEqual(expected.map((topics) => topics.join('|')));
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it('stay right when more topics are used than the table remembers', async () => {
    const { broker, connect } = setUp({ channelSize: 1e9 });
    const { subscribe, received } = connect('a');
    subscribe('few/+');
    for (let index = 0; index < 150_000; index++) publish(broker, `many/${index}`);
    for (let index = 0; index < 10; index++) publish(broker, `few/${index}`);
    await endOfTurn();
    expect(received().split('|')).toHaveLength(10);
  });

  it('make runs of topics with the same targets comparable: they share one object', () => {
    const { broker, connect } = setUp();
    const { subscribe } = connect('a');
    subscribe('#');
    expect(topicOf(broker, 'x').targets).toBe(topicOf(broker, 'y').targets);
    subscribe('y');
    expect(topicOf(broker, 'x').targets).toBe(topicOf(broker, 'y').targets);
    connect('b').subscribe('y');
    expect(topicOf(broker, 'x').targets).not.toBe(topicOf(broker, 'y').targets);
  });

  it.each(['a/+', '#', '', 'a\0b', '$SYS/x'])('refuse to publish to %j', (topic) => {
    const { broker } = setUp();
    expect(() => topicOf(broker, topic)).toThrow(/^(invalid|reserved)-topic: /);
  });

  it('refuse a topic that is not UTF-8', () => {
    const { broker } = setUp();
    expect(() => broker.topic(new DataView(new Uint8Array([0xc3, 0x28]).buffer), 0, 2)).toThrow(
      'invalid-topic: the topic is not UTF-8',
    );
  });

  it('refuse a filter that breaks the rules, and one with too many levels', () => {
    const { connect } = setUp();
    const { subscribe } = connect('a');
    expect(() => subscribe('a/#/b')).toThrow(
      "invalid-filter: filter 'a/#/b': # must be the whole last level",
    );
    expect(() => subscribe(`${'a/'.repeat(1024)}#`)).toThrow('with wildcards at most 1024');
    subscribe('a/'.repeat(2000));
  });
});

describe('shared subscriptions', () => {
  it('give each message to one member, in turn', async () => {
    const { broker, connect } = setUp();
    const members = ['a', 'b', 'c'].map((id) => connect(id));
    for (const { subscribe } of members) subscribe('$share/g/jobs/#');
    const alone = connect('d');
    alone.subscribe('jobs/#');
    for (let index = 0; index < 9; index++) publish(broker, `jobs/${index}`);
    await endOfTurn();
    const counts = members.map(({ received }) => received().split('|').length);
    expect(counts).toEqual([3, 3, 3]);
    expect(alone.received().split('|')).toHaveLength(9);
  });

  it('go on with the members that are left', async () => {
    const { broker, connect } = setUp();
    const a = connect('a');
    const b = connect('b');
    a.subscribe('$share/g/x');
    b.subscribe('$share/g/x');
    a.leave();
    publish(broker, 'x');
    b.unsubscribe('$share/g/x');
    publish(broker, 'x');
    await endOfTurn();
    expect([a.received(), b.received()]).toEqual(['', 'x']);
    expect(topicOf(broker, 'x').targets.groups).toEqual([]);
  });

  it('bring a member whose other filters match as well one copy', async () => {
    const { broker, connect } = setUp();
    const both = connect('a');
    const member = connect('b');
    both.subscribe('jobs/#');
    both.subscribe('$share/g/jobs/#');
    both.subscribe('$share/h/jobs/#');
    member.subscribe('$share/g/jobs/#');
    for (let index = 0; index < 4; index++) publish(broker, `jobs/${index}`);
    await endOfTurn();
    expect(both.received()).toBe('jobs/0|jobs/1|jobs/2|jobs/3');
    expect(member.received()).toBe('jobs/1|jobs/3');
  });

  it('pass over a member whose channel is full', async () => {
    const { broker, connect } = setUp({ channelSize: 1 });
    const stuck = connect('a', () => false);
    const other = connect('b');
    stuck.subscribe('$share/g/x');
    other.subscribe('$share/g/x');
    stuck.subscribe('fill');
    publish(broker, 'fill');
    await endOfTurn();
    publish(broker, 'fill');
    for (let index = 0; index < 5; index++) publish(broker, 'x');
    await endOfTurn();
    expect(other.received()).toBe('x|x|x|x|x');
  });
});

describe('clients', () => {
  it('are taken over by a newer one with the same id, and told', async () => {
    const { broker, connect, metrics } = setUp();
    const older = connect('same');
    older.subscribe('x');
    const newer = connect('same');
    expect(older.reasons.map(({ code }) => code)).toEqual(['taken-over']);
    newer.subscribe('x');
    publish(broker, 'x');
    await endOfTurn();
    expect([older.received(), newer.received()]).toEqual(['', 'x']);
    older.leave();
    expect(broker.clientCount).toBe(1);
    expect(metrics.snapshot()).toMatchObject({ clients: 1, subscriptions: 1 });
  });

  it('are refused beyond the limit, but one that comes back is not', () => {
    const { connect } = setUp({ maxClients: 2 });
    connect('a');
    connect('b');
    expect(() => connect('c')).toThrow('too-many-clients: 2 clients are connected');
    connect('b');
  });

  it('are asked about by the guard', () => {
    const guard: Guard = {
      mayConnect: () => undefined,
      mayPublish: (_, topic) => (topic === 'secret' ? 'not there' : undefined),
      maySubscribe: (_, filter) => (filter === '#' ? 'not everything' : undefined),
    };
    const { broker, connect } = setUp({}, guard);
    const { client, subscribe } = connect('friend');
    expect(() => subscribe('#')).toThrow("not-authorized: filter '#': not everything");
    expect(() => subscribe('$share/g/#')).toThrow('not everything');
    expect(() => client.access.checkPublish(topicOf(broker, 'secret'))).toThrow(
      "not-authorized: topic 'secret': not there",
    );
    client.access.checkPublish(topicOf(broker, 'open'));
  });

  it('that are slow are disconnected where that is the policy', async () => {
    const { broker, connect } = setUp({ channelSize: 1, slowConsumer: 'disconnect', slowConsumerWaitMs: 1 });
    const stuck = connect('stuck', () => false);
    stuck.subscribe('x');
    publish(broker, 'x');
    await endOfTurn();
    publish(broker, 'x');
    await vi.waitFor(() => expect(stuck.reasons.map(({ code }) => code)).toEqual(['slow-consumer']), {
      timeout: 30_000,
    });
    expect(broker.clientCount).toBe(0);
  });
});

function setUp(settings: Partial<BrokerSettings> = {}, guard?: Guard) {
  const metrics = new Metrics();
  const broker = new Broker({
    settings: {
      maxClients: 100,
      channelSize: 100,
      channelBytes: 1e9,
      slowConsumer: 'drop-new',
      slowConsumerWaitMs: 60_000,
      ...settings,
    },
    metrics,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });

  const sessions = sessionsOf(broker, metrics);

  function connect(clientId: string, accepts = () => true) {
    const written: Buffer[] = [];
    const reasons: BrokerError[] = [];
    const client: Client = broker.connect({
      access: accessOfTest(clientId, guard && policyOfGuard(guard)),
      encoding: text,
      host: {
        write(buffers) {
          written.push(...buffers.map((bytes) => Buffer.from(bytes)));
          return accepts();
        },
        standingFilters: () => [],
        refuse(reason) {
          reasons.push(reason);
          leave();
        },
      },
    });
    const session = sessionOf(sessions, client);
    const leave = () => {
      session.unsubscribeAll();
      broker.disconnect(client);
    };
    const subscribe = (filter: string) => {
      broker.checkMaySubscribe(client.access, filter);
      return session.subscribe(simpleSubscription(filter));
    };
    const unsubscribe = (filter: string) => session.unsubscribe(filter);
    return {
      client,
      subscribe,
      unsubscribe,
      leave,
      reasons,
      received: () => Buffer.concat(written).toString().slice(0, -1),
    };
  }

  return { broker, connect, metrics };
}

function topicOf(broker: Broker, topic: string) {
  const bytes = new TextEncoder().encode(topic);
  return broker.topic(new DataView(bytes.buffer), 0, bytes.length);
}

/** Publishes a message that is its topic. */
function publish(broker: Broker, topic: string): void {
  const { targets } = topicOf(broker, topic);
  const bytes = new TextEncoder().encode(`${topic}|`);
  broker.publish(new Publication(text).set(bytes, 0, bytes.length, 1), targets, nobody);
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
