import { describe, expect, it } from 'vitest';
import { HeldEntries } from '../../test/support/held-entries.ts';
import { turn } from '../../test/support/logs.ts';
import { Broker } from '../broker/broker.ts';
import type { Outgoing } from '../broker/outgoing.ts';
import type { Message } from '../broker/publication.ts';
import { Sessions } from '../broker/sessions.ts';
import { Metrics } from '../metrics/metrics.ts';
import { MemoryEntries } from '../store/memory-entries.ts';
import { restoreSessions } from './restore-sessions.ts';
import { SessionKeeper } from './session-keeper.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };

function message(payload = 'x', more: Partial<Message> = {}): Message {
  return { topic: 'a/b', payload: Buffer.from(payload), clientId: 'publisher', qos: 1, ...more };
}

let sequence = 0;
function outgoing(of: Message, more: Partial<Outgoing> = {}): Outgoing {
  return {
    message: of,
    qos: 1,
    retain: false,
    identifiers: [],
    shared: undefined,
    sequence: ++sequence,
    packetId: 0,
    isReleased: false,
    ...more,
  };
}

function durable(keeper: SessionKeeper): { state: string } {
  const seen = { state: 'waits' };
  keeper.whenDurable((error) => {
    seen.state = error === undefined ? 'lasts' : error.message;
  });
  return seen;
}

async function settled(): Promise<void> {
  for (let round = 0; round < 5; round++) await turn();
}

/** What a broker that starts with this store has. */
async function restored(store: MemoryEntries) {
  const metrics = new Metrics();
  const settings = {
    maxClients: 10,
    channelSize: 10,
    channelBytes: 1000,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  const broker = new Broker({ settings, metrics, log });
  const keeper = new SessionKeeper(store, log);
  const limits = { queueMessages: 1000, queueBytes: 1_000_000 };
  const sessions = new Sessions({ broker, metrics, log, limits, slowConsumerWaitMs: 10, store: keeper });
  await restoreSessions({ store, keeper, sessions, broker, log });
  sessions.close();
  return { broker, sessions, keeper };
}

describe('keeping sessions', () => {
  it('says when what was written lasts, in the order of the questions', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, log);
    expect(durable(keeper).state).toBe('lasts');
    store.isHeld = true;
    keeper.putReceived('c', 1, true);
    const first = durable(keeper);
    const second = durable(keeper);
    await settled();
    expect([first.state, second.state]).toEqual(['waits', 'waits']);
    keeper.putReceived('c', 2, true);
    const third = durable(keeper);
    await settled();
    store.release();
    await settled();
    expect([first.state, second.state, third.state]).toEqual(['lasts', 'lasts', 'waits']);
    store.release();
    await settled();
    expect(third.state).toBe('lasts');
  });

  it('writes nothing of a message that is acknowledged before it is written, and nobody waits for it', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, log);
    const one = outgoing(message());
    keeper.putOutgoing('c', one);
    one.packetId = 1;
    keeper.putOutgoing('c', one);
    const waiter = durable(keeper);
    keeper.deleteOutgoing('c', one);
    expect(waiter.state).toBe('lasts');
    const shared = message();
    const pair = [outgoing(shared), outgoing(shared)];
    for (const each of pair) keeper.putOutgoing('c', each);
    const other = durable(keeper);
    for (const each of pair) keeper.deleteOutgoing('c', each);
    expect(other.state).toBe('lasts');
    await settled();
    expect(store.writes).toBe(0);
  });

  it('tells who waits that the store has failed, and writes what it lacks later, the newest of each', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, log);
    store.isFailing = true;
    keeper.putRetained(message('1', { retain: true }));
    keeper.putReceived('c', 1, true);
    const failed = durable(keeper);
    await settled();
    expect(failed.state).toBe('the disk is full');
    keeper.putRetained(message('2', { retain: true }));
    const later = durable(keeper);
    store.isFailing = false;
    await expect.poll(() => later.state, { timeout: 5_000 }).toBe('lasts');
    const { broker } = await restored(store);
    expect([...broker.retained.find('#')].map(({ payload }) => String(Buffer.from(payload)))).toEqual(['2']);
    expect(store.size).toBe(2);
    keeper.close();
  });

  // Who asked after somebody else, about the same changes, was told that all was well.
  it('tells everybody who asks about the same changes', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, log);
    store.isFailing = true;
    keeper.putReceived('c', 1, true);
    const asked = [durable(keeper), durable(keeper), durable(keeper)];
    await settled();
    expect(asked.map(({ state }) => state)).toEqual(Array(3).fill('the disk is full'));
    store.isFailing = false;
    keeper.putReceived('c', 2, true);
    const last = durable(keeper);
    await expect.poll(() => last.state, { timeout: 5_000 }).toBe('lasts');
    keeper.close();
  });

  it('brings back all of a session', async () => {
    const store = new MemoryEntries();
    const keeper = new SessionKeeper(store, log);
    const subscription = {
      filter: 'a/+',
      qos: 2,
      noLocal: true,
      retainAsPublished: true,
      identifier: 7,
    } as const;
    const shared = { ...subscription, filter: '$share/g/b', noLocal: false, identifier: undefined };
    const record = {
      clientId: 'ü/1',
      expiryMs: 60_000,
      endedAtMs: Date.now(),
      subscriptions: [subscription, shared],
    };
    keeper.putSession(record);
    keeper.putSession({
      ...record,
      clientId: 'for ever',
      expiryMs: Number.POSITIVE_INFINITY,
      endedAtMs: undefined,
    });
    const rich = message('rich', {
      retain: true,
      expiresAtMs: Date.now() + 12_345_678,
      properties: { contentType: 't', correlationData: Uint8Array.of(1), userProperties: [['a', 'b']] },
    });
    const sent = outgoing(rich, { qos: 2, identifiers: [7, 300], shared: 'g', packetId: 5, retain: true });
    const waiting = outgoing(rich);
    keeper.putOutgoing('ü/1', sent);
    keeper.putOutgoing('ü/1', waiting);
    keeper.putReceived('ü/1', 65_535, true);
    await keeper.flush();
    await settled();
    sent.isReleased = true;
    keeper.putOutgoing('ü/1', sent);
    await keeper.flush();
    await settled();
    const { sessions, keeper: next } = await restored(store);
    const session = sessions.get('ü/1')!;
    expect(sessions.count).toBe(2);
    expect(sessions.get('for ever')!.expiryMs).toBe(Number.POSITIVE_INFINITY);
    expect(session.expiryMs).toBe(60_000);
    expect([...session.subscriptions]).toEqual([subscription, shared]);
    expect([...session.received.keys()]).toEqual([65_535]);
    expect([session.outbox.waiting, session.outbox.unacknowledged]).toEqual([1, 1]);
    const moved = session.takeShared(() => true);
    expect(moved).toEqual([]);
    expect(session.outbox.complete(5)).toBe(true);
    sessions.end(session);
    sessions.end(sessions.get('for ever')!);
    await next.flush();
    await settled();
    expect(store.size).toBe(0);
  });

  it('passes over what is damaged', async () => {
    const store = new MemoryEntries();
    const junk = Uint8Array.of(1, 2, 3);
    const keys = ['m/1', 'o/1/c/1', 'o/zzz', 'p/1/c/1', 'q/1/c/x', 'r/topic', 's/c', 'x/other'];
    await store.putEntries(keys.map((key) => ({ key, value: junk })));
    const { sessions, broker } = await restored(store);
    expect([sessions.count, broker.retained.count]).toEqual([0, 0]);
  });
});
