import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { afterKill, type GroupStore, openGroups, TestClient, TestMember } from '../../test/support/groups.ts';
import type { GroupOutcome } from './group-types.ts';
import type { Groups } from './groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;
const TICK_MS = 500;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

/** A consumer as clients are: it joins, asks for its assignment, sends heartbeats, and does again what was refused. */
class Consumer {
  member: TestMember;
  #groups: Groups;
  readonly #isStatic: boolean;
  readonly #name: string;
  assignment: string | undefined;
  isRunning = true;
  isFrozen = false;
  #life = 0;

  constructor(groups: Groups, number: number, canBeStatic: boolean) {
    this.#groups = groups;
    this.#name = `i${number}`;
    // One third each: known by instance, clients that are told their id first, and old clients.
    this.#isStatic = canBeStatic && number % 3 === 0;
    this.member = this.#newMember(number % 3 === 1);
    void this.#live(this.#life);
  }

  /** The process dies. */
  crash(): void {
    this.isRunning = false;
    this.#life++;
    this.member.client.close();
    this.assignment = undefined;
  }

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.isFrozen = false;
    this.member = this.#newMember(this.member.request.needsKnownMemberId);
    void this.#live(++this.#life);
  }

  leave(): void {
    if (!this.isRunning) return;
    void this.member.leave();
    this.crash();
  }

  /** Another connection takes over. */
  reconnect(): void {
    if (!this.isRunning) return;
    this.member.client.close();
    this.member.client = new TestClient();
  }

  /** The broker was killed and is back: what it has not answered is asked again, heartbeats go on. */
  brokerIsBack(groups: Groups): void {
    this.#groups = groups;
    this.member.groups = groups;
    if (!this.isRunning) return;
    this.reconnect();
    if (this.assignment === undefined) void this.#live(++this.#life);
  }

  /** It wants something else, which it joins again for. */
  resubscribe(topics: string): void {
    if (!this.isRunning || this.isFrozen || this.assignment === undefined) return;
    this.member.request = {
      ...this.member.request,
      protocols: [{ name: 'range', metadata: Buffer.from(topics) }],
    };
    this.assignment = undefined;
    void this.#live(++this.#life);
  }

  beat(): void {
    if (!this.isRunning || this.isFrozen || this.assignment === undefined) return;
    const outcome = this.member.heartbeat();
    if (outcome !== 'none') this.#again(outcome);
  }

  async #live(life: number): Promise<void> {
    const isOver = () => life !== this.#life || !this.isRunning;
    const joined = await this.member.join();
    if (isOver()) return;
    if (joined.error !== 'none') {
      this.#again(joined.error);
      return;
    }
    const synced = await this.member.sync();
    if (isOver()) return;
    if (synced.error !== 'none') this.#again(synced.error);
    else this.assignment = Buffer.from(synced.assignment).toString();
  }

  #again(outcome: GroupOutcome): void {
    this.assignment = undefined;
    // Whoever is fenced has a successor of its own here, so that it begins like one that is unknown.
    if (outcome === 'unknownMemberId' || outcome === 'fencedInstanceId') this.member.memberId = '';
    // A client that was refused waits a little, as all clients do.
    const life = ++this.#life;
    setTimeout(() => {
      if (life === this.#life && this.isRunning) void this.#live(life);
    }, 50);
  }

  #newMember(needsKnownMemberId: boolean): TestMember {
    const request = { needsKnownMemberId, groupInstanceId: this.#isStatic ? this.#name : null };
    return new TestMember(this.#groups, request);
  }
}

const eventOf = (...kinds: string[]) =>
  fc.record({ kind: fc.constantFrom(...kinds, 'wait', 'wait'), which: fc.nat(8), ticks: fc.nat(6) });
type Event = { kind: string; which: number; ticks: number };

describe('a group under churn', () => {
  it('settles: one generation, one leader, everybody assigned, nobody else in it', async () => {
    const event = eventOf('crash', 'start', 'leave', 'reconnect', 'resubscribe', 'freeze');
    await fc.assert(
      // Longer than a session and a rebalance, one behind the other.
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), (events) => settles(events, 120, true)),
      { numRuns: 100 },
    );
  });

  it('settles when the broker is killed again and again, and its disk stands still now and then', async () => {
    const event = eventOf(
      'kill',
      'kill',
      'slow',
      'fast',
      'crash',
      'start',
      'leave',
      'reconnect',
      'resubscribe',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), (events) => settles(events, 120, true)),
      { numRuns: 150 },
    );
  });

  it('settles within seconds where members only come and go', async () => {
    const event = eventOf('start', 'leave', 'resubscribe');
    await fc.assert(
      // A heartbeat to hear of it, and what a refused client waits.
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), (events) => settles(events, 6, false)),
      { numRuns: 200 },
    );
  });
});

async function settles(events: readonly Event[], ticksAfter: number, canBeStatic: boolean): Promise<void> {
  let { groups, store } = await openGroups();
  const consumers = Array.from({ length: 9 }, (_, number) => new Consumer(groups, number, canBeStatic));
  for (const { kind, which, ticks } of events) {
    const consumer = consumers[which];
    if (kind === 'crash') consumer.crash();
    if (kind === 'start') consumer.start();
    if (kind === 'leave') consumer.leave();
    if (kind === 'reconnect') consumer.reconnect();
    if (kind === 'resubscribe') consumer.resubscribe(`t,u${ticks}`);
    if (kind === 'freeze') consumer.isFrozen = true;
    if (kind === 'slow') store.holdMembers();
    if (kind === 'fast') store.releaseMembers();
    if (kind === 'kill') ({ groups, store } = await killed(groups, store, consumers));
    if (kind === 'wait') await pass(consumers, ticks);
  }
  store.releaseMembers();
  for (const consumer of consumers) consumer.isFrozen = false;
  await pass(consumers, ticksAfter);

  const running = consumers.filter(({ isRunning }) => isRunning);
  const { state, members } = groups.describe('g')!;
  expect(state).toBe(running.length === 0 ? 'Empty' : 'Stable');
  const idsOf = (list: readonly { memberId: string }[]) => list.map(({ memberId }) => memberId).sort();
  expect(idsOf(members)).toEqual(idsOf(running.map(({ member }) => member)));
  expect(new Set(running.map(({ member }) => member.generationId)).size).toBeLessThanOrEqual(1);
  for (const { assignment } of running) expect(assignment).toMatch(/-/);
  const leaders = running.filter(({ member }) => (member.joined?.members.length ?? 0) > 0);
  // The leader shared the work among as many as there are.
  expect(leaders.map(({ member }) => member.joined!.members.length)).toEqual(
    running.length === 0 ? [] : [running.length],
  );
  groups.close();
  vi.clearAllTimers();
}

/** The broker is killed and started again. What was on its way to a disk that stands still is lost. */
async function killed(groups: Groups, store: GroupStore, consumers: readonly Consumer[]) {
  groups.close();
  await turn();
  const again = await openGroups(await afterKill(store));
  for (const consumer of consumers) consumer.brokerIsBack(again.groups);
  return again;
}

/** Lets time pass, with a heartbeat of everybody in each tick. */
async function pass(consumers: readonly Consumer[], ticks: number): Promise<void> {
  for (let tick = 0; tick < ticks; tick++) {
    for (const consumer of consumers) consumer.beat();
    await turn();
    vi.advanceTimersByTime(TICK_MS);
    await turn();
  }
}
