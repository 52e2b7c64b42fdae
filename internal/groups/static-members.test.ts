import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isWaiting, openGroups, stableGroup, TestMember } from '../../test/support/groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const instance = (groupInstanceId: string) => ({ groupInstanceId });

describe('a static member', () => {
  it('that comes back takes its place without a rebalance, and the one that it was is fenced', async () => {
    const { groups } = await openGroups();
    const [other] = await stableGroup(groups, 1);
    const before = new TestMember(groups, instance('i'));
    const joining = before.join();
    await other.join();
    await joining;
    await Promise.all([other.sync(), before.sync()]);

    const after = new TestMember(groups, instance('i'));
    expect(await after.join()).toMatchObject({
      error: 'none',
      generationId: 2,
      leader: other.memberId,
      members: [],
      skipAssignment: false,
    });
    expect(after.memberId).not.toBe(before.memberId);
    expect(text((await after.sync()).assignment)).toBe(before.memberId);
    expect([other.heartbeat(), after.heartbeat(), before.heartbeat()]).toEqual([
      'none',
      'none',
      'fencedInstanceId',
    ]);
    expect((await before.sync()).error).toBe('fencedInstanceId');
    expect((await before.join()).error).toBe('fencedInstanceId');
    expect(await before.commit(1)).toEqual(['fencedInstanceId']);
    expect(await before.leave()).toEqual(['fencedInstanceId']);
  });

  it('that leads and comes back is told that nothing has to be assigned, if its client knows that', async () => {
    const { groups } = await openGroups();
    const [before] = await stableGroup(groups, 1, instance('i'));
    const after = new TestMember(groups, instance('i'));
    const joined = await after.join();
    expect(joined).toMatchObject({ leader: after.memberId, skipAssignment: true });
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([after.memberId]);

    const older = new TestMember(groups, { ...instance('i'), canSkipAssignment: false });
    expect(await older.join()).toMatchObject({ leader: after.memberId, skipAssignment: false, members: [] });
    expect(text((await older.sync()).assignment)).toBe(before.memberId);
  });

  it('that leads others goes on leading them when it comes back', async () => {
    const { groups } = await openGroups();
    const members = [new TestMember(groups, instance('i')), new TestMember(groups)];
    await Promise.all(members.map((member) => member.join()));
    await Promise.all(members.map((member) => member.sync()));
    const after = new TestMember(groups, instance('i'));
    const { leader, members: all } = await after.join();
    expect([leader, all.length]).toEqual([after.memberId, 2]);
    expect(await members[1].join()).toMatchObject({ leader: after.memberId, generationId: 1 });
  });

  it('that comes back with other protocols begins a rebalance', async () => {
    const { groups } = await openGroups();
    await stableGroup(groups, 1, instance('i'));
    const protocols = ['sticky', 'range'].map((name) => ({ name, metadata: Buffer.from('t') }));
    const after = new TestMember(groups, { ...instance('i'), protocols });
    expect(await after.join()).toMatchObject({ generationId: 2, protocolName: 'sticky' });
    const again = new TestMember(groups, { ...instance('i'), protocols: protocols.slice(1) });
    expect(await again.join()).toMatchObject({ generationId: 3, protocolName: 'range' });
  });

  it('that comes back while the one that it was waits has that one refused', async () => {
    const { groups } = await openGroups();
    const [other] = await stableGroup(groups, 1);
    const before = new TestMember(groups, instance('i'));
    const waiting = before.join();
    const after = new TestMember(groups, instance('i'));
    const joined = after.join();
    expect((await waiting).error).toBe('fencedInstanceId');
    expect(await isWaiting(joined)).toBe(true);
    await other.join();
    expect((await joined).generationId).toBe(2);

    const asking = after.sync();
    void new TestMember(groups, instance('i')).join();
    expect((await asking).error).toBe('fencedInstanceId');
  });

  it('does not have to be there for the next generation, but leads nobody then', async () => {
    const { groups } = await openGroups();
    const members = [new TestMember(groups, instance('i')), new TestMember(groups)];
    await Promise.all(members.map((member) => member.join()));
    await Promise.all(members.map((member) => member.sync()));
    members[1].request = {
      ...members[1].request,
      protocols: [{ name: 'range', metadata: Buffer.from('u') }],
    };
    const joined = members[1].join();
    for (let elapsedMs = 0; elapsedMs < 20_000; elapsedMs += 4_000) {
      expect(members[0].heartbeat()).toBe('rebalanceInProgress');
      vi.advanceTimersByTime(4_000);
    }
    const { leader, members: all } = await joined;
    expect([leader, all.length]).toEqual([members[1].memberId, 2]);
  });

  it('is waited for when there are only such and none of them came', async () => {
    const { groups } = await openGroups();
    const [one, other] = await stableGroup(groups, 1, instance('i'));
    expect(other).toBeUndefined();
    const third = new TestMember(groups, { sessionTimeoutMs: 6_000 });
    const joined = third.join();
    third.client.close();
    await joined;
    for (let elapsedMs = 0; elapsedMs < 30_000; elapsedMs += 5_000) {
      expect(one.heartbeat()).not.toBe('unknownMemberId');
      vi.advanceTimersByTime(5_000);
    }
    expect(await one.join()).toMatchObject({ error: 'none', generationId: 2 });
  });

  it('is taken out by its instance alone', async () => {
    const { groups } = await openGroups();
    await stableGroup(groups, 1, instance('i'));
    expect(await groups.leave('g', [{ memberId: '', groupInstanceId: 'i' }])).toEqual(['none']);
    expect(groups.describe('g')).toMatchObject({ state: 'Empty', members: [] });
  });
});
