import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  afterKill,
  commitAlone,
  type GroupStore,
  isWaiting,
  offsetsOf,
  openGroups,
  stableGroup,
  TestClient,
  TestMember,
} from '../../test/support/groups.ts';
import { readGroup } from './group-record.ts';
import type { Groups } from './groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;
const DAY_MS = 24 * 3_600_000;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const instance = (groupInstanceId: string) => ({ groupInstanceId });

/** The broker is killed and comes back; these members lost their connections. */
async function restart(store: GroupStore, members: readonly TestMember[]) {
  const again = await openGroups(await afterKill(store));
  for (const member of members) {
    member.client.close();
    member.client = new TestClient();
    member.groups = again.groups;
  }
  return again;
}

/** What the group looks like from outside, with text for bytes. */
function described(groups: Groups) {
  const { members, ...group } = groups.describe('g')!;
  const texts = members.map((one) => ({
    ...one,
    metadata: text(one.metadata),
    assignment: text(one.assignment),
  }));
  return { ...group, members: texts };
}

/** What the store has of a group now. */
async function stored(store: GroupStore, groupId = 'g') {
  const bytes = (await store.open()).groupMembers.get(groupId);
  return bytes === undefined ? undefined : readGroup(bytes);
}

describe('after the broker was killed, a group', () => {
  // A Connect worker stood for five minutes and Streams counted twice: members were unknown and had to join again.
  it('goes on without a rebalance, with the members, the assignments and the protocol that it had', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 3, { clientId: 'worker', rebalanceTimeoutMs: 40_000 });
    const before = described(groups);
    expect(before).toMatchObject({ state: 'Stable', protocolType: 'consumer', protocolName: 'range' });
    vi.advanceTimersByTime(9_000);

    const { groups: again } = await restart(store, members);
    expect(described(again)).toEqual(before);
    expect(again.list()).toEqual([{ groupId: 'g', protocolType: 'consumer', state: 'Stable' }]);
    expect(members.map((member) => member.heartbeat())).toEqual(['none', 'none', 'none']);
    expect(await members[1].commit(5)).toEqual(['none']);
    expect(text((await members[2].sync()).assignment)).toBe(members[2].memberId);
    expect(members.map(({ generationId }) => generationId)).toEqual([1, 1, 1]);
  });

  it('refuses as Kafka does: another generation is illegal, another member unknown', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    const { groups: again } = await restart(store, [member]);
    const stranger = new TestMember(again);
    stranger.memberId = 'stranger';
    expect([stranger.heartbeat(), (await stranger.join()).error]).toEqual([
      'unknownMemberId',
      'unknownMemberId',
    ]);
    for (const wrong of [0, 2]) {
      member.generationId = wrong;
      expect(member.heartbeat()).toBe('illegalGeneration');
      expect(await member.commit(1)).toEqual(['illegalGeneration']);
      expect((await member.sync()).error).toBe('illegalGeneration');
    }
    expect(await commitAlone(again, 'g', 1)).toEqual(['unknownMemberId']);
    expect(await again.delete('g')).toBe('nonEmptyGroup');
  });

  it('answers a member that joins again with what it knows, and begins a rebalance for its leader', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 2);
    await restart(store, members);
    expect(await members[1].join()).toMatchObject({
      error: 'none',
      generationId: 1,
      leader: members[0].memberId,
    });
    const joined = members[0].join();
    expect(members[1].heartbeat()).toBe('rebalanceInProgress');
    await members[1].join();
    expect(await joined).toMatchObject({ generationId: 2, leader: members[0].memberId });
  });

  it('gives every member its whole session timeout, whatever time the broker was away', async () => {
    const { groups, store } = await openGroups();
    const [quiet, other] = await stableGroup(groups, 2);
    vi.advanceTimersByTime(9_999);
    const next = await afterKill(store);
    groups.close();
    vi.advanceTimersByTime(3_600_000);
    const { groups: again } = await openGroups(next);
    for (const member of [quiet, other]) member.groups = again;
    vi.advanceTimersByTime(9_999);
    expect(other.heartbeat()).toBe('none');
    vi.advanceTimersByTime(1);
    expect(other.heartbeat()).toBe('rebalanceInProgress');
    expect(quiet.heartbeat()).toBe('unknownMemberId');
  });

  it('is there as well when the broker was stopped, whatever was on its way', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 2);
    store.holdMembers();
    const leaving = members[1].leave();
    expect(await isWaiting(leaving)).toBe(true);
    const again = members[0].join();
    expect(await isWaiting(again)).toBe(true);
    for (const { client } of members) client.close();
    groups.close();
    store.releaseMembers();
    await Promise.all([leaving, again]);
    expect(await stored(store)).toMatchObject({ generationId: 1, members: [{ id: members[0].memberId }] });
  });

  it('is not confused by a newcomer of the name of a member that was not heard yet', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    const { groups: again } = await restart(store, [member]);
    const joined = new TestMember(again).join();
    vi.advanceTimersByTime(9_000);
    expect(await isWaiting(joined)).toBe(true);
    expect(member.heartbeat()).toBe('rebalanceInProgress');
    await member.join();
    expect((await joined).generationId).toBe(2);
  });
});

describe('a rebalance that was under way when the broker was killed', () => {
  it('goes on where members were told the generation: they ask for their assignment', async () => {
    const { groups, store } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const second = new TestMember(groups, { needsKnownMemberId: true });
    await second.join();
    const joined = second.join();
    await first.join();
    await joined;
    const lost = second.sync();
    expect(await isWaiting(lost)).toBe(true);

    await restart(store, [first, second]);
    await lost;
    expect([first.heartbeat(), second.heartbeat()]).toEqual(['none', 'none']);
    expect(await first.commit(1)).toEqual(['rebalanceInProgress']);
    const synced = second.sync();
    expect(await isWaiting(synced)).toBe(true);
    expect(text((await first.sync()).assignment)).toBe(first.memberId);
    expect(text((await synced).assignment)).toBe(second.memberId);
    expect(second.generationId).toBe(2);
  });

  it('goes on where an answer to JoinGroup was lost: it is given again', async () => {
    const { groups, store } = await openGroups();
    const members = [1, 2].map(() => new TestMember(groups));
    await Promise.all(members.map((member) => member.join()));
    await restart(store, members);
    expect((await members[1].join()).members).toEqual([]);
    expect((await members[0].join()).members).toHaveLength(2);
    expect(members.map(({ generationId }) => generationId)).toEqual([1, 1]);
  });

  it('ends when members do not ask for their assignment after it, counted from the start', async () => {
    const { groups, store } = await openGroups();
    const members = [1, 2].map(() => new TestMember(groups, { sessionTimeoutMs: 60_000 }));
    await Promise.all(members.map((member) => member.join()));
    vi.advanceTimersByTime(19_000);
    const { groups: again, store: next } = await restart(store, members);
    void members[0].sync();
    vi.advanceTimersByTime(19_999);
    expect(again.describe('g')!.members).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(again.describe('g')!.members).toHaveLength(1);
    await vi.waitFor(async () => expect((await stored(next))!.members).toHaveLength(1));
  });

  it('leaves the generation before where nobody was told the next: members join again or go on', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 2);
    store.holdMembers();
    const newcomer = new TestMember(groups);
    const joins = [newcomer, ...members].map((member) => member.join());
    expect(await isWaiting(joins[1])).toBe(true);

    const { groups: again } = await restart(store, members);
    expect(again.describe('g')!.state).toBe('Stable');
    expect(members.map((member) => member.heartbeat())).toEqual(['none', 'none']);
    newcomer.groups = again;
    newcomer.client = new TestClient();
    const joined = newcomer.join();
    await Promise.all(members.map((member) => member.join()));
    expect(await joined).toMatchObject({ generationId: 2, leader: members[0].memberId });
    store.releaseMembers();
    await Promise.all(joins);
  });

  it('goes on after a member left: who is still there is told, and the other one is not back', async () => {
    const { groups, store } = await openGroups();
    const [first, second, third] = await stableGroup(groups, 3);
    expect(await third.leave()).toEqual(['none']);
    const { groups: again } = await restart(store, [first, second, third]);
    expect(again.describe('g')).toMatchObject({ state: 'PreparingRebalance' });
    expect([first, second, third].map((member) => member.heartbeat())).toEqual([
      'rebalanceInProgress',
      'rebalanceInProgress',
      'unknownMemberId',
    ]);
    await Promise.all([first.join(), second.join()]);
    expect([first.generationId, second.generationId]).toEqual([2, 2]);
  });

  it('has its rebalance timeout anew, and then goes on without whoever did not come', async () => {
    const { groups, store } = await openGroups();
    const [first, second, third] = await stableGroup(groups, 3, { sessionTimeoutMs: 60_000 });
    await third.leave();
    vi.advanceTimersByTime(19_000);
    await restart(store, [first, second]);
    const joined = first.join();
    vi.advanceTimersByTime(19_999);
    expect(await isWaiting(joined)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await joined).members).toHaveLength(1);
    expect(second.heartbeat()).toBe('unknownMemberId');
  });
});

describe('what a member is told', () => {
  it('is in the store before: its generation and its assignment', async () => {
    const { groups, store } = await openGroups();
    const members = [1, 2].map(() => new TestMember(groups));
    store.holdMembers();
    const joined = Promise.all(members.map((member) => member.join()));
    expect(await isWaiting(joined)).toBe(true);
    store.releaseMembers();
    await joined;
    expect(await stored(store)).toMatchObject({ state: 'CompletingRebalance', generationId: 1 });

    store.holdMembers();
    const synced = members.map((member) => member.sync());
    expect(await isWaiting(Promise.any(synced))).toBe(true);
    expect(members.map((member) => member.heartbeat())).toEqual(['none', 'none']);
    expect(groups.describe('g')!.state).toBe('CompletingRebalance');
    store.releaseMembers();
    expect((await Promise.all(synced)).map(({ assignment }) => text(assignment))).toEqual(
      members.map(({ memberId }) => memberId),
    );
    const { state, members: kept } = (await stored(store))!;
    expect([state, kept.map(({ assignment }) => text(assignment))]).toEqual([
      'Stable',
      members.map(({ memberId }) => memberId),
    ]);
  });

  it('is that it left, when the store knows', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    store.holdMembers();
    const leaving = member.leave();
    expect(await isWaiting(leaving)).toBe(true);
    store.releaseMembers();
    expect(await leaving).toEqual(['none']);
    expect(await stored(store)).toMatchObject({ state: 'Empty', generationId: 2, members: [] });
  });

  it('is to try again while the store fails; the group then goes on', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    store.isFailing = true;
    expect(member.heartbeat()).toBe('none');
    expect((await member.join()).error).toBe('coordinatorNotAvailable');
    expect((await member.join()).error).toBe('none');
    expect((await member.sync()).error).toBe('coordinatorNotAvailable');
    expect(member.heartbeat()).toBe('rebalanceInProgress');
    await store.recover();
    expect((await member.join()).error).toBe('none');
    expect(text((await member.sync()).assignment)).toBe(member.memberId);
    expect(await stored(store)).toMatchObject({ state: 'Stable', generationId: member.generationId });
  });

  it('of a second SyncGroup of the leader is in the store as well', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.join();
    store.holdMembers();
    const first = member.sync();
    member.memberId = `${member.memberId}`;
    expect(await isWaiting(first)).toBe(true);
    const second = member.sync();
    expect((await first).error).toBe('rebalanceInProgress');
    expect(await isWaiting(second)).toBe(true);
    store.releaseMembers();
    expect((await second).error).toBe('none');
    expect(groups.describe('g')!.state).toBe('Stable');
  });
});

describe('the store of groups', () => {
  it('is told what it refused when it works again', async () => {
    const { groups, store } = await openGroups();
    const [first, second] = await stableGroup(groups, 2);
    const [alone] = await stableGroup(groups, 1, { groupId: 'h' });
    store.isFailing = true;
    expect(await second.leave()).toEqual(['none']);
    expect(await alone.leave()).toEqual(['none']);
    expect((await stored(store))!.members).toHaveLength(2);
    await store.recover();
    await vi.waitFor(async () => expect(await stored(store, 'h')).toMatchObject({ state: 'Empty' }));
    expect((await stored(store))!.members.map(({ id }) => id)).toEqual([first.memberId]);
  });

  it('is told of all groups if it had to begin with an empty file', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await store.saveGroupMembers('g', undefined);
    await store.recover();
    await vi.waitFor(async () =>
      expect((await stored(store))?.members.map(({ id }) => id)).toEqual([member.memberId]),
    );
  });

  it('is written once for all that changed while it was busy', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 1_000);
    expect(store.memberSaves).toBe(2);
    store.holdMembers();
    const leaving = members.slice(1).map((member) => member.leave());
    expect(await isWaiting(Promise.any(leaving))).toBe(true);
    expect(store.memberSaves).toBe(3);
    store.releaseMembers();
    await Promise.all(leaving);
    expect(store.memberSaves).toBeLessThanOrEqual(4);
    expect((await stored(store))!.members).toHaveLength(1);
  });

  it('forgets a group that is deleted or that nothing is left of, and keeps one that was joined meanwhile', async () => {
    const { groups, store } = await openGroups();
    for (const groupId of ['g', 'h', 'i']) {
      const [member] = await stableGroup(groups, 1, { groupId });
      if (groupId !== 'h') await member.commit(1);
      await member.leave();
    }
    expect(await groups.delete('g')).toBe('none');
    await groups.sweep(Date.now());
    expect([...(await store.open()).groupMembers.keys()]).toEqual(['i']);

    store.holdGroups();
    const deleting = groups.delete('i');
    const [member] = await stableGroup(groups, 1, { groupId: 'i' });
    store.releaseGroups();
    await deleting;
    await vi.waitFor(async () =>
      expect((await stored(store, 'i'))?.members.map(({ id }) => id)).toEqual([member.memberId]),
    );
  });

  it('says since when a group is empty, so that its offsets expire however often the broker is started', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.commit(1);
    vi.setSystemTime(Date.now() + 8 * DAY_MS);
    await member.leave();
    let next = store;
    let last: Groups = groups;
    for (let day = 0; day < 7; day++) {
      next = await afterKill(next);
      last = (await openGroups(next)).groups;
      await last.sweep(Date.now());
      expect((await offsetsOf(last, 'g')).size, `after ${day} days`).toBe(1);
      vi.advanceTimersByTime(DAY_MS);
    }
    await last.sweep(Date.now());
    expect((await offsetsOf(last, 'g')).size).toBe(0);
  });

  it('may have what this version cannot read: the members join again, and what they committed stays', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.commit(3);
    const next = await afterKill(store);
    await next.saveGroupMembers('g', Uint8Array.of(200, 1, 2));
    await next.saveGroupMembers('h', Uint8Array.of());
    const { groups: again, log } = await openGroups(next);
    member.groups = again;
    expect(log.lines.filter((line) => line.includes('cannot be read'))).toHaveLength(2);
    expect(member.heartbeat()).toBe('unknownMemberId');
    member.memberId = '';
    expect((await member.join()).error).toBe('none');
    expect((await offsetsOf(again, 'g')).get('t')!.get(0)!.offset).toBe(3);
  });
});

describe('after the broker was killed, a static member', () => {
  it('has its place, and takes it again under a new id without a rebalance', async () => {
    const { groups, store } = await openGroups();
    const [one] = await stableGroup(groups, 1, instance('i'));
    const { groups: again } = await restart(store, [one]);
    expect(one.heartbeat()).toBe('none');
    const after = new TestMember(again, instance('i'));
    expect(await after.join()).toMatchObject({
      generationId: 1,
      leader: after.memberId,
      skipAssignment: true,
    });
    expect(text((await after.sync()).assignment)).toBe(one.memberId);
    expect(one.heartbeat()).toBe('fencedInstanceId');
  });

  it('that was replaced before is fenced as before, and its successor is known', async () => {
    const { groups, store } = await openGroups();
    const [before] = await stableGroup(groups, 1, instance('i'));
    const after = new TestMember(groups, instance('i'));
    store.holdMembers();
    const joined = after.join();
    expect(await isWaiting(joined)).toBe(true);
    store.releaseMembers();
    expect((await joined).error).toBe('none');
    await restart(store, [before, after]);
    expect([before.heartbeat(), after.heartbeat()]).toEqual(['fencedInstanceId', 'none']);
  });

  it('that was replaced in a rebalance is known with the id that it was told', async () => {
    const { groups, store } = await openGroups();
    const members = [new TestMember(groups, instance('i')), new TestMember(groups)];
    await Promise.all(members.map((member) => member.join()));
    await Promise.all(members.map((member) => member.sync()));
    const protocols = [{ name: 'range', metadata: Buffer.from('u') }];
    const after = new TestMember(groups, { ...instance('i'), protocols });
    const joined = after.join();
    await members[1].join();
    expect((await joined).error).toBe('none');
    await restart(store, [members[1], after]);
    const synced = members[1].sync();
    expect((await after.sync()).error).toBe('none');
    expect((await synced).error).toBe('none');
  });

  it('that did not come back is out after its session timeout', async () => {
    const { groups, store } = await openGroups();
    const members = await stableGroup(groups, 1, { ...instance('i'), sessionTimeoutMs: 30_000 });
    const { groups: again } = await restart(store, members);
    vi.advanceTimersByTime(29_999);
    expect(again.describe('g')!.members).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(again.describe('g')).toMatchObject({ state: 'Empty', members: [] });
  });
});
