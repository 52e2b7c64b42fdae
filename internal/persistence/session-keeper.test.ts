import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identityOfTest } from '../../test/support/access.ts';
import { HeldEntries } from '../../test/support/held-entries.ts';
import { turn } from '../../test/support/logs.ts';
import { anyOutlet } from '../../test/support/sessions.ts';
import { Broker } from '../broker/broker.ts';
import type { Encoding, Message, Publication } from '../broker/delivery/publication.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import type { Outgoing } from '../broker/sessions/outgoing.ts';
import type { SentRun } from '../broker/sessions/sent-runs.ts';
import type { Session } from '../broker/sessions/session.ts';
import { Sessions } from '../broker/sessions/sessions.ts';
import { type Clock, MovableClock, systemClock } from '../lib/clock.ts';
import { acknowledgementWaitMs, sessionChangesWaiting } from '../limits/persistence.ts';
import { Metrics } from '../observe/metrics.ts';
import { MemoryEntries } from '../store/memory/memory-entries.ts';
import { restoreSessions } from './restore-sessions.ts';
import { SessionKeeper } from './session-keeper.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function message(payload = 'x', more: Partial<Message> = {}): Message {
  return { topic: 'a/b', payload: Buffer.from(payload), clientId: 'publisher', qos: 1, ...more };
}

let sequence = 0;
function outgoing(of: Message, more: Partial<Outgoing> = {}): Outgoing {
  return {
    message: of,
    qos: 1,
    retain: false,
    tags: [],
    shared: undefined,
    sequence: ++sequence,
    token: 0,
    step: 'waits',
    ...more,
  };
}

/** The receipt of some work. */
class Work extends Receipt {
  get state(): string {
    if (!this.isSettled) return 'waits';
    return this.problem === undefined ? 'lasts' : this.problem.message;
  }
}

/** As an outbox does: it takes a message and sends it in the same turn. */
function send(keeper: SessionKeeper, of: Outgoing): Work {
  const work = new Work();
  keeper.putOutgoing('c', of, work);
  of.token = of.sequence;
  keeper.putOutgoing('c', of);
  return work;
}

/** A keeper that knows of client `c` that it acknowledges at once, so often. */
function keeperOfPrompt(store: MemoryEntries, times: number): SessionKeeper {
  const keeper = new SessionKeeper(store, logger);
  for (let time = 0; time < times; time++) {
    const one = outgoing(message());
    send(keeper, one);
    keeper.deleteOutgoing(one);
  }
  return keeper;
}

async function settled(): Promise<void> {
  for (let round = 0; round < 5; round++) await turn();
}

/** What a broker that starts with this store has. */
async function restored(store: MemoryEntries, clock?: Clock) {
  const keeper = new SessionKeeper(store, logger);
  const { broker, sessions } = brokerOf(keeper, clock);
  await restoreSessions({ store, keeper, sessions, broker, logger });
  sessions.close();
  return { broker, sessions, keeper };
}

function brokerOf(keeper: SessionKeeper, clock: Clock = systemClock) {
  const metrics = new Metrics();
  const settings = {
    maxClients: 10,
    channelSize: 10,
    channelBytes: 1000,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  const broker = new Broker({ settings, metrics, logger, clock, retainedStore: keeper });
  const limits = { queueMessages: 1000, queueBytes: 1_000_000 };
  const sessions = new Sessions({ broker, metrics, logger, limits, slowConsumerWaitMs: 10, store: keeper });
  return { broker, sessions };
}

describe('keeping sessions', () => {
  it('holds the receipt of some work until all of it lasts, whatever else is written meanwhile', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const [nothing, first, second, other] = [new Work(), new Work(), new Work(), new Work()];
    store.isHeld = true;
    keeper.putReceived('c', 1, true, first);
    keeper.putReceived('c', 1, true, second);
    keeper.putReceived('d', 1, true);
    await settled();
    // The work goes on after others had their turn.
    keeper.putReceived('c', 2, true, other);
    await settled();
    keeper.putReceived('c', 3, true, second);
    const states = () => [nothing, first, second, other].map(({ state }) => state);
    expect(states()).toEqual(['lasts', 'waits', 'waits', 'waits']);
    store.release();
    await settled();
    expect(states()).toEqual(['lasts', 'lasts', 'waits', 'waits']);
    store.release();
    await settled();
    expect(states()).toEqual(['lasts', 'lasts', 'waits', 'lasts']);
    store.release();
    await settled();
    expect(second.state).toBe('lasts');
  });

  it('is behind while more waits than is soon written, and lets publishers go when it is not', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const calls: string[] = [];
    const publisher = { pause: () => calls.push('pause'), resume: () => calls.push('resume') };
    store.isHeld = true;
    for (let id = 0; id < sessionChangesWaiting; id++) keeper.putOutgoing('c', outgoing(message()));
    expect(keeper.isBehind).toBe(false);
    await settled();
    keeper.putOutgoing('c', outgoing(message()));
    expect(keeper.isBehind).toBe(true);
    for (let time = 0; time < 3; time++) keeper.holdBack(publisher);
    expect(calls).toEqual(['pause']);
    store.release();
    await settled();
    expect([keeper.isBehind, ...calls]).toEqual([false, 'pause', 'resume']);
    store.release();
    await keeper.flush();
    keeper.close();
  });

  it('makes publishers of retained messages wait while it is behind', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const { broker, sessions } = brokerOf(keeper);
    store.isHeld = true;
    const calls: string[] = [];
    const publisher = { pause: () => calls.push('pause'), resume: () => calls.push('resume') };
    for (let id = 0; id < sessionChangesWaiting; id++) {
      broker.publishMessage(message('x', { topic: `r/${id}`, retain: true }), { source: publisher });
    }
    expect(calls).toEqual([]);
    broker.publishMessage(message('x', { topic: 'r', retain: true }), { source: publisher });
    await settled();
    expect(calls).toEqual(['pause']);
    store.release();
    await settled();
    expect(calls).toEqual(['pause', 'resume']);
    sessions.close();
    keeper.close();
  });

  it('lets publishers go when what waited is acknowledged before it is written', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const calls: string[] = [];
    const all = Array.from({ length: sessionChangesWaiting + 1 }, () => outgoing(message()));
    for (const one of all) keeper.putOutgoing('c', one);
    keeper.holdBack({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
    for (const one of all) keeper.deleteOutgoing(one);
    await settled();
    expect([store.writes, ...calls]).toEqual([0, 'pause', 'resume']);
    keeper.close();
  });

  it('makes nobody wait for a store that fails', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const calls: string[] = [];
    store.isHeld = true;
    store.isFailing = true;
    for (let id = 0; id <= sessionChangesWaiting; id++) keeper.putOutgoing('c', outgoing(message()));
    keeper.holdBack({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
    await settled();
    store.release();
    await settled();
    expect([keeper.isBehind, ...calls]).toEqual([false, 'pause', 'resume']);
    keeper.close();
  });

  it('writes nothing of a message that is acknowledged before it is written, and nobody waits for it', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const one = outgoing(message());
    const work = send(keeper, one);
    expect(work.state).toBe('waits');
    keeper.deleteOutgoing(one);
    expect(work.state).toBe('lasts');
    const shared = message();
    const pair = [outgoing(shared), outgoing(shared)];
    const other = new Work();
    for (const each of pair) keeper.putOutgoing('c', each, other);
    for (const each of pair) {
      expect(other.state).toBe('waits');
      keeper.deleteOutgoing(each);
    }
    expect(other.state).toBe('lasts');
    await settled();
    expect(store.writes).toBe(0);
  });

  it.each([
    ['of whom nobody waits for an answer', () => undefined],
    ['each with an answer that waits', () => new Receipt()],
  ])('writes messages once that come to several sessions together, %s', async (_, newReceipt) => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const run = [message('1'), message('2'), message('3')].map((one) => ({ one, receipt: newReceipt() }));
    const deliveries = ['a', 'b'].flatMap((clientId) =>
      run.map(({ one, receipt }) => {
        const each = outgoing(one);
        keeper.putOutgoing(clientId, each, receipt);
        return each;
      }),
    );
    await keeper.flush();
    expect(store.size).toBe(run.length + deliveries.length);
    for (const each of deliveries) keeper.deleteOutgoing(each);
    await keeper.flush();
    expect(store.size).toBe(0);
  });

  it('tells who waits that the store has failed, and writes what it lacks later, the newest of each', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    store.isFailing = true;
    keeper.putRetained(message('1', { retain: true }));
    const failed = new Work();
    keeper.putReceived('c', 1, true, failed);
    await settled();
    expect(failed.problem).toMatchObject({
      code: 'store-unavailable',
      message: 'store-unavailable: the disk is full',
    });
    const later = new Work();
    keeper.putRetained(message('2', { retain: true }), later);
    store.isFailing = false;
    await expect.poll(() => later.state, { timeout: 5_000 }).toBe('lasts');
    const { broker } = await restored(store);
    expect([...broker.retained.find('#')].map(({ payload }) => String(Buffer.from(payload)))).toEqual(['2']);
    expect(store.size).toBe(2);
    keeper.close();
  });

  // A broker that was stopped while its store failed waited for a timer that kept nothing alive, and ended with exit code 13.
  it('is flushed without waiting for the time at which a store that failed is tried again', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    store.isFailing = true;
    keeper.putRetained(message('1', { retain: true }));
    await settled();
    expect(store.writes).toBe(1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      await keeper.flush();
    } finally {
      vi.useRealTimers();
    }
    expect(store.writes).toBe(2);
    keeper.close();
  });

  // Who asked behind somebody else was told that all was well, because the error was for the first one.
  it('tells an error to all whose work it is, and to nobody else', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    store.isFailing = true;
    const delivered = outgoing(message());
    const [one, both, needless, last] = [new Work(), new Work(), new Work(), new Work()];
    keeper.putReceived('c', 1, true, one);
    keeper.putReceived('c', 1, true, both);
    keeper.putOutgoing('d', delivered, both);
    keeper.putReceived('c', 2, true, both);
    keeper.putOutgoing('d', outgoing(message()));
    const acknowledged = outgoing(message());
    keeper.putOutgoing('d', acknowledged, needless);
    // What was needed no longer is no error.
    keeper.deleteOutgoing(delivered);
    keeper.deleteOutgoing(acknowledged);
    await settled();
    expect([one, both, needless].map(({ state }) => state)).toEqual([
      'store-unavailable: the disk is full',
      'store-unavailable: the disk is full',
      'lasts',
    ]);
    store.isFailing = false;
    keeper.putReceived('c', 3, true, last);
    await expect.poll(() => last.state, { timeout: 5_000 }).toBe('lasts');
    keeper.close();
  });

  it('brings back all of a session', async () => {
    const store = new MemoryEntries();
    const keeper = new SessionKeeper(store, logger);
    const subscription = {
      filter: 'a/+',
      qos: 2,
      noLocal: true,
      retainAsPublished: true,
      tag: 7,
    } as const;
    const shared = { ...subscription, filter: '$share/g/b', noLocal: false, tag: undefined };
    const record = {
      clientId: 'ü/1',
      user: 'alice',
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
    const sent = outgoing(rich, { qos: 2, tags: [7, 300], shared: 'g', token: 5, retain: true });
    const waiting = outgoing(rich);
    keeper.putOutgoing('ü/1', sent);
    keeper.putOutgoing('ü/1', waiting);
    keeper.putReceived('ü/1', 65_535, true);
    await keeper.flush();
    await settled();
    sent.step = 'received';
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
    expect(session.outbox.find(5)?.step).toBe('received');
    session.outbox.done(5);
    sessions.end(session);
    sessions.end(sessions.get('for ever')!);
    await next.flush();
    await settled();
    expect(store.size).toBe(0);
  });

  // By the machine's clock it had ended years before a broker began whose clock stood elsewhere.
  it('counts the time of a client that was there from the start, by the clock of the broker', async () => {
    const store = new MemoryEntries();
    const keeper = new SessionKeeper(store, logger);
    const there = { user: undefined, expiryMs: 60_000, endedAtMs: undefined, subscriptions: [] };
    keeper.putSession({ ...there, clientId: 'c' });
    await keeper.flush();
    const clock = new MovableClock(Date.UTC(2090, 0, 1));
    const { sessions } = await restored(store, clock);
    const { endedAtMs } = sessions.get('c')!;
    expect(new Date(endedAtMs!).getUTCFullYear()).toBe(2090);
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

describe('waiting for acknowledgements', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function waited(): Promise<void> {
    await settled();
    vi.advanceTimersByTime(acknowledgementWaitMs);
    await settled();
  }

  it('writes nothing for who acknowledges in time, and what was not acknowledged in time', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    const one = outgoing(message());
    const first = send(keeper, one);
    await settled();
    vi.advanceTimersByTime(acknowledgementWaitMs - 1);
    await settled();
    expect(first.state).toBe('waits');
    keeper.deleteOutgoing(one);
    expect(first.state).toBe('lasts');
    const second = send(keeper, outgoing(message()));
    await settled();
    expect([second.state, store.writes]).toEqual(['waits', 0]);
    await waited();
    expect([second.state, store.writes, store.size]).toEqual(['lasts', 1, 1]);
  });

  it('waits again for who acknowledges soon after the write, not for who takes longer', async () => {
    const store = new HeldEntries();
    const keeper = new SessionKeeper(store, logger);
    const quick = outgoing(message());
    send(keeper, quick);
    await settled();
    expect(store.size).toBe(1);
    keeper.deleteOutgoing(quick);
    await keeper.flush();
    const slow = outgoing(message());
    send(keeper, slow);
    await settled();
    expect(store.size).toBe(0);
    await waited();
    expect(store.size).toBe(1);
    vi.advanceTimersByTime(acknowledgementWaitMs + 1);
    keeper.deleteOutgoing(slow);
    send(keeper, outgoing(message()));
    await settled();
    expect(store.size).toBe(1);
  });

  it('takes as long as the store does, within limits', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    store.isHeld = true;
    for (let time = 0; time < 20; time++) {
      keeper.putReceived('c', time, true);
      await settled();
      vi.advanceTimersByTime(4 * acknowledgementWaitMs);
      store.release();
      await settled();
    }
    store.isHeld = false;
    const { size } = store;
    send(keeper, outgoing(message()));
    await waited();
    expect(store.size).toBe(size);
    vi.advanceTimersByTime(3 * acknowledgementWaitMs);
    await settled();
    expect(store.size).toBe(size + 1);
  });

  it('is not done for what was not sent, nor with QoS 2', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    keeper.putOutgoing('c', outgoing(message()));
    send(keeper, outgoing(message(), { qos: 2 }));
    await settled();
    expect(store.size).toBe(2);
  });

  it('is not done for a message of QoS 2, whose sender will not publish it again: it lasts with its packet id', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    send(keeper, outgoing(message('x', { qos: 2 })));
    keeper.putReceived('publisher', 1, true);
    await settled();
    expect([store.writes, store.size]).toEqual([1, 2]);
  });

  it('is not done for what a member of a group leaves to others, nor for wills: they last in one place or the other', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    const { broker, sessions } = brokerOf(keeper);
    const [prompt, leaving] = ['c', 'leaving'].map((clientId) => {
      const { session } = sessions.open(identityOfTest(clientId), false, Number.POSITIVE_INFINITY);
      return session;
    }) as [Session, Session];
    const subscribe = (session: Session, filter: string) => {
      const plain = { qos: 1, noLocal: false, retainAsPublished: false, tag: undefined } as const;
      session.subscribe({ filter, ...plain });
    };
    subscribe(leaving, '$share/group/shared');
    const will = { message: message('bye', { topic: 'will' }), delayMs: 0, expiryMs: undefined };
    sessions.enter(leaving, anyOutlet(), will);
    broker.publishMessage(message('one', { topic: 'shared' }));
    subscribe(prompt, '$share/group/shared');
    subscribe(prompt, 'will');
    sessions.enter(prompt, anyOutlet(), undefined);
    await settled();
    const { size } = store;
    sessions.leave(leaving, true);
    await settled();
    // The message and the will have changed places; the session that left is written anew.
    expect([prompt.outbox.unacknowledged, store.size]).toEqual([2, size]);
    sessions.close();
  });

  it('ends when everything is to be written', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    send(keeper, outgoing(message()));
    await keeper.flush();
    expect(store.size).toBe(1);
  });

  it('is not done for what came from a log, whose sender has had its answer', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    send(keeper, outgoing({ ...message(), isLastCopy: true }));
    await settled();
    expect(store.size).toBe(1);
  });

  it('holds up no other session, and the message is written once', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    const shared = message();
    const prompt = outgoing(shared);
    const absent = outgoing(shared);
    const waiter = send(keeper, prompt);
    keeper.putOutgoing('absent', absent, waiter);
    await settled();
    // The message, and that one is absent.
    expect([waiter.state, store.size]).toEqual(['waits', 2]);
    keeper.deleteOutgoing(prompt);
    expect(waiter.state).toBe('lasts');
    keeper.deleteOutgoing(absent);
    await keeper.flush();
    expect(store.size).toBe(0);
  });

  it('is not done where the store has failed: who waits is told', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 3);
    store.isFailing = true;
    const hopeful = send(keeper, outgoing(message()));
    const failed = new Work();
    keeper.putReceived('c', 1, true, failed);
    await settled();
    expect([hopeful.state, failed.state]).toEqual(Array(2).fill('store-unavailable: the disk is full'));
    store.isFailing = false;
    const flushed = keeper.flush();
    vi.advanceTimersByTime(1_000);
    await flushed;
    expect(store.size).toBe(2);
    keeper.close();
  });
});

describe('a run that was sent to a client which acknowledges at once as a rule', () => {
  /** A run of three messages, of which an outbox has the first acknowledged. */
  function runOf(keeper: SessionKeeper, { hasSender = true } = {}) {
    const work = new Work();
    const messages = ['1', '2', '3'].map((payload) =>
      outgoing(message(payload), { step: 'sent', token: Number(payload) }),
    );
    const run = {
      ...{ bytes: new Uint8Array(0), encoding: {} as Encoding, publisher: 'publisher', count: 3 },
      ...{ sequence, haveTokens: true, acknowledged: 0, stored: undefined },
    } as SentRun;
    const publication = { receipt: work, hasSender } as unknown as Publication;
    const left = messages.slice(1);
    const isTaken = keeper.putRun('c', run, publication, () => run.stored!.unfolded(left));
    return { run, left, work, isTaken };
  }

  it('is never written where it is acknowledged in time, and nobody waits for it any longer', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 1);
    const { run, work, isTaken } = runOf(keeper);
    await settled();
    expect([isTaken, work.state]).toEqual([true, 'waits']);
    run.stored!.forget();
    expect(work.state).toBe('lasts');
    await keeper.flush();
    expect(store.writes).toBe(0);
  });

  it('is written where it is not, but for what is acknowledged; who waits for it waits for all of that', async () => {
    const store = new HeldEntries();
    store.isHeld = true;
    const keeper = keeperOfPrompt(store, 1);
    const { left, work } = runOf(keeper);
    await expect.poll(() => store.writes, { timeout: 5_000 }).toBe(1);
    expect(left.map(({ stored }) => stored !== undefined)).toEqual([true, true]);
    keeper.deleteOutgoing(left[0]!);
    await settled();
    expect(work.state).toBe('waits');
    store.release();
    await settled();
    expect(work.state).toBe('lasts');
    store.release();
    await keeper.flush();
    expect(store.size).toBe(1);
    // The client counts as one that takes its time until it has acknowledged something at once again.
    expect(runOf(keeper).isTaken).toBe(false);
  });

  it('has all its messages wait alone where the client comes again, with those who wait for them', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 1);
    const { run, left, work } = runOf(keeper);
    run.stored!.unfolded(left);
    keeper.deleteOutgoing(left[1]!);
    await settled();
    expect([work.state, store.writes]).toEqual(['waits', 0]);
    keeper.deleteOutgoing(left[0]!);
    expect(work.state).toBe('lasts');
    await keeper.flush();
    expect(store.writes).toBe(0);
  });

  it('is written at once where all is flushed, as at the end of a broker', async () => {
    const store = new HeldEntries();
    const keeper = keeperOfPrompt(store, 1);
    const { work } = runOf(keeper);
    await keeper.flush();
    expect([work.state, store.size]).toEqual(['lasts', 2]);
  });

  it('is not safe where the store fails, and is written when that works again', async () => {
    const store = new HeldEntries();
    store.isFailing = true;
    const keeper = keeperOfPrompt(store, 1);
    const { work } = runOf(keeper);
    await expect.poll(() => work.state, { timeout: 5_000 }).toBe('store-unavailable: the disk is full');
    store.isFailing = false;
    await expect.poll(() => store.size, { timeout: 5_000 }).toBe(2);
    keeper.close();
  });

  it('is not taken as such where its publisher does not send it again, or the client was never as quick', () => {
    const store = new HeldEntries();
    expect(runOf(keeperOfPrompt(store, 1), { hasSender: false }).isTaken).toBe(false);
    expect(runOf(new SessionKeeper(store, logger)).isTaken).toBe(false);
  });

  it('counts as all its messages for what waits to be written', () => {
    const keeper = keeperOfPrompt(new HeldEntries(), 1);
    for (let count = 0; count <= sessionChangesWaiting / 3; count++) runOf(keeper);
    expect(keeper.isBehind).toBe(true);
    keeper.close();
  });
});
