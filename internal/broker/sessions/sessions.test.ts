import { afterEach, describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { anyOutlet } from '../../../test/support/sessions.ts';
import { type Clock, MovableClock, systemClock } from '../../lib/clock.ts';
import { maxSessions } from '../../limits/broker.ts';
import { Metrics } from '../../observe/metrics.ts';
import { restoreSessions } from '../../persistence/restore-sessions.ts';
import { SessionKeeper } from '../../persistence/session-keeper.ts';
import { MemoryEntries } from '../../store/memory/memory-entries.ts';
import { Broker } from '../broker.ts';
import type { Channel } from '../delivery/channel.ts';
import type { Qos } from '../delivery/publication.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const end of cleanUp.splice(0)) end();
});

interface Options {
  store?: SessionKeeper;
  defaultExpiryMs?: number;
  mostWaitingBytes?: number;
  queueBytes?: number;
  movable?: MovableClock;
}

function setUp({ queueBytes = 1000, movable, ...options }: Options = {}) {
  const metrics = new Metrics();
  const warnings: Record<string, unknown>[] = [];
  const warn = (fields: object) => warnings.push(fields as Record<string, unknown>);
  const logger = { debug() {}, info() {}, warn, error() {} };
  const settings = {
    maxClients: 10,
    channelSize: 10,
    channelBytes: 1000,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  // A millisecond goes by with each visit.
  let visits = 0;
  const clock: Clock = movable ?? { ...systemClock, now: () => 1_000_000 + visits };
  const broker = new Broker({ settings, metrics, logger, clock });
  const limits = { queueMessages: 10, queueBytes };
  const sessions = new Sessions({ broker, metrics, logger, limits, slowConsumerWaitMs: 10, ...options });
  cleanUp.push(() => sessions.close());

  /** A client that comes, may subscribe, and goes. */
  function visit(clientId: string, filter?: string): Session {
    const { session } = sessions.open(identityOfTest(clientId), false, Number.POSITIVE_INFINITY);
    sessions.enter(session, anyOutlet());
    if (filter !== undefined) {
      const subscription = {
        filter,
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        tag: undefined,
      } as const;
      session.subscribe(subscription);
    }
    visits++;
    sessions.leave(session, false);
    return session;
  }

  const evicted = () => metrics.snapshot().sessions_evicted_total;
  const publish = (payload = 'x') =>
    broker.publishMessage({ topic: 't', payload: Buffer.from(payload), clientId: '', qos: 1 });
  return { broker, sessions, warnings, visit, evicted, publish, log: logger, metrics };
}

// Clients of 3.1.1 that name themselves anew each time leave sessions behind. When there were as many as there may be, every
// newcomer was refused for ever.
describe('when there are as many sessions as there may be', () => {
  it('the one whose client was away longest, and for which nothing waits, makes room; told and counted', () => {
    const { sessions, warnings, visit, evicted, publish } = setUp();
    visit('with a message', 't');
    publish();
    visit('first');
    visit('second');
    visit('back later');
    for (let index = sessions.count; index < maxSessions; index++) visit(`${index}`);
    visit('back later');
    expect([sessions.count, evicted()]).toEqual([maxSessions, 0]);

    visit('newcomer');
    expect([sessions.count, evicted()]).toEqual([maxSessions, 1]);
    expect(sessions.get('first')).toBeUndefined();
    expect(warnings).toEqual([
      { code: 'too-many-sessions', client: "'first'", awayMs: expect.any(Number), ended: 1 },
    ]);
    visit('another');
    visit('and another');
    expect(sessions.get('second')).toBeUndefined();
    expect(sessions.get('with a message')).toBeDefined();
    expect(sessions.get('back later')).toBeDefined();
    expect(sessions.get('newcomer')).toBeDefined();
    // One line for many in a second.
    expect([evicted(), warnings.length]).toEqual([3, 1]);
  });

  it('a newcomer is refused where messages wait for all of them, or their clients are there', () => {
    const { sessions, visit, publish } = setUp();
    for (let index = 0; index < maxSessions - 1; index++) visit(`${index}`, 't');
    publish();
    const { session } = sessions.open(identityOfTest('here'), false, 1_000);
    sessions.enter(session, anyOutlet());
    expect(() => visit('newcomer')).toThrow('too-many-sessions: 100000 sessions are kept');
    expect(sessions.open(identityOfTest('clean'), true, 0).isPresent).toBe(false);
  });
});

// A message that expired in its session, or that its client has no room for, was gone without a trace.
describe('a message that a session cannot deliver', () => {
  it('is counted by the reason: it expired, it is too large for its client, the queue is full', () => {
    const { sessions, broker, visit, publish, metrics, warnings } = setUp();
    const session = visit('away', 't');
    broker.publishMessage({ topic: 't', payload: Buffer.from('x'), clientId: '', qos: 1, expiresAtMs: 1 });
    publish('too large');
    sessions.enter(session, { ...anyOutlet(), send: () => 'packet-too-large' });
    sessions.leave(session, false);
    for (let index = 0; index < 12; index++) publish();
    expect(session.outbox.waiting).toBeLessThan(12);
    const full = 12 - session.outbox.waiting;
    expect(metrics.snapshot()).toMatchObject({
      'messages_expired_total{code="message-expired"}': 1,
      'messages_dropped_total{code="packet-too-large"}': 1,
      'messages_dropped_total{code="session-queue-full"}': full,
      messages_dropped_total: full + 1,
    });
    expect(warnings).toMatchObject([{ code: 'session-queue-full', client: 'away', topic: 't' }]);
  });
});

// While a client that acknowledges had as much as it takes, a member whose channel was slow got every other message of the
// group, and dropped it.
describe('a group of whose members one is slow, and the other has as much as it takes', () => {
  it('loses no message that waits with a session, and none with QoS 0 that a client takes', () => {
    const { sessions, broker } = setUp({ queueBytes: 1e6 });
    const shared = { filter: '$share/g/t', noLocal: false, retainAsPublished: false, tag: undefined };
    const isDropped = () => {
      throw new Error('dropped');
    };
    const slowChannel = { waitingBytes: 0, isFull: false, isSlow: true } as Channel;
    const slow = { ...anyOutlet(slowChannel), takesOneCopy: true, send: isDropped };
    sessions.passing(identityOfTest('slow'), slow).subscribe({ ...shared, qos: 0 });
    const { session } = sessions.open(identityOfTest('acknowledges'), false, 1_000);
    sessions.enter(session, anyOutlet());
    session.subscribe({ ...shared, qos: 1 });
    const publish = (qos: Qos) =>
      broker.publishMessage({ topic: 't', payload: Buffer.from('x'), clientId: '', qos });
    for (let index = 0; index < 19; index++) publish(1);
    expect([session.unacknowledged, session.waiting]).toEqual([10, 9]);
    for (let index = 0; index < 4; index++) publish(0);
  });
});

describe('sessions of clients that cannot say how long they are to last', () => {
  it('last as long as the broker says, which may say something else when it starts again', async () => {
    const entries = new MemoryEntries();
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const store = new SessionKeeper(entries, silent);
    const before = setUp({ store, movable: new MovableClock() });
    for (const [clientId, expiryMs] of [
      ['old', undefined],
      ['for ever', Number.POSITIVE_INFINITY],
      ['two hours', 7_200_000],
    ] as const) {
      const { session } = before.sessions.open(identityOfTest(clientId), false, expiryMs);
      before.sessions.enter(session, anyOutlet());
      before.sessions.leave(session, false);
    }
    await store.flush();

    const keeper = new SessionKeeper(entries, silent);
    const movable = new MovableClock();
    const { sessions, broker } = setUp({ store: keeper, defaultExpiryMs: 3_600_000, movable });
    await restoreSessions({ store: entries, keeper, sessions, broker, logger: silent });
    const kept = () => ['old', 'for ever', 'two hours'].filter((id) => sessions.get(id) !== undefined);
    await movable.advance(3_590_000);
    expect(kept()).toEqual(['old', 'for ever', 'two hours']);
    await movable.advance(20_000);
    expect(kept()).toEqual(['for ever', 'two hours']);
  });
});

// What had expired lay in the queue until its client came back, and new messages were dropped because the queue was full of it.
it('messages that expire make room for those that come after them, and are told as expired', async () => {
  const movable = new MovableClock();
  const { sessions, broker, metrics } = setUp({ movable, queueBytes: 10_000 });
  const { session } = sessions.open(identityOfTest('away'), false, Number.POSITIVE_INFINITY);
  const options = { qos: 1, noLocal: false, retainAsPublished: false, tag: undefined } as const;
  session.subscribe({ filter: 't', ...options });
  const publish = (payload: string, expiresAfterMs?: number) => {
    const expiresAtMs = expiresAfterMs === undefined ? undefined : movable.now() + expiresAfterMs;
    broker.publishMessage({ topic: 't', payload: Buffer.from(payload), clientId: '', qos: 1, expiresAtMs });
  };
  for (let index = 0; index < 2; index++) {
    publish('x', 60_000);
    publish('y', 3_600_000);
    publish('z');
  }
  await movable.advance(50_000);
  expect(session.waiting).toBe(6);
  await movable.advance(20_000);
  expect(session.waiting).toBe(4);
  await movable.advance(3_600_000);
  expect(session.waiting).toBe(2);
  expect(metrics.snapshot()).toMatchObject({ 'messages_expired_total{code="message-expired"}': 4 });
});

describe('a large message that many sessions wait for', () => {
  const MiB = 2 ** 20;
  const roomy = { queueBytes: 2 * MiB, mostWaitingBytes: 32 * MiB };
  const silent = { debug() {}, info() {}, warn() {}, error() {} };

  it('lies in memory once, and leaves room for what else comes, also when a broker starts again', async () => {
    const entries = new MemoryEntries();
    const store = new SessionKeeper(entries, silent);
    const before = setUp({ store, ...roomy });
    for (let index = 0; index < 10_000; index++) before.visit(`${index}`, 't');
    before.publish('x'.repeat(MiB));
    before.publish();
    const waiting = ({ sessions }: typeof before, id: string) => sessions.get(id)?.outbox.waiting;
    expect([waiting(before, '0'), waiting(before, '9999'), before.warnings]).toEqual([2, 2, []]);
    await store.flush();

    const keeper = new SessionKeeper(entries, silent);
    const after = setUp({ store: keeper, ...roomy });
    const { sessions, broker } = after;
    await restoreSessions({ store: entries, keeper, sessions, broker, logger: silent });
    after.publish();
    expect([waiting(after, '0'), waiting(after, '9999'), after.warnings]).toEqual([3, 3, []]);
  });
});
