import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  commitAlone,
  GroupStore,
  isWaiting,
  offsetsOf,
  openGroups,
  stableGroup,
  TestClient,
  TestMember,
} from '../../test/support/groups.ts';
import type { Groups } from './groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;
const DAY_MS = 24 * 3_600_000;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

async function committed(groups: Groups, groupId = 'g', topic = 't', partition = 0) {
  return (await offsetsOf(groups, groupId)).get(topic)?.get(partition)?.offset;
}

describe('committed offsets', () => {
  it('are there again after a restart, and so is their group', async () => {
    const { groups, store } = await openGroups();
    expect(await commitAlone(groups, 'g', 7)).toEqual(['none']);
    groups.close();
    const { groups: again } = await openGroups(store);
    expect(await committed(again)).toBe(7);
    expect(again.list()).toEqual([{ groupId: 'g', protocolType: '', state: 'Empty' }]);
  });

  it('are seen and answered when the store keeps them, in the order of the commits', async () => {
    const { groups, store } = await openGroups();
    store.holdGroups();
    const first = commitAlone(groups, 'g', 1);
    const second = commitAlone(groups, 'g', 2);
    expect(await isWaiting(second)).toBe(true);
    expect(await committed(groups)).toBeUndefined();
    const stable = offsetsOf(groups, 'g', true);
    expect(await isWaiting(stable)).toBe(true);
    store.releaseGroups();
    expect(await Promise.all([first, second])).toEqual([['none'], ['none']]);
    expect((await stable).get('t')!.get(0)!.offset).toBe(2);
  });

  it('are refused so that clients try again while the store fails', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 1);
    store.isFailing = true;
    expect(await commitAlone(groups, 'g', 2)).toEqual(['coordinatorNotAvailable']);
    expect(await groups.delete('g')).toBe('coordinatorNotAvailable');
    expect(await groups.deleteOffsets('g', [{ topic: 't', partition: 0 }])).toBe('coordinatorNotAvailable');
    expect(await committed(groups)).toBe(1);
    store.isFailing = false;
    expect(await commitAlone(groups, 'g', 2)).toEqual(['none']);
  });

  it('are what the store says after it recovered', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 1);
    await store.saveGroupOffsets('h', [
      { topic: 't', partition: 0, offset: 5, leaderEpoch: -1, metadata: '', committedAtMs: Date.now() },
    ]);
    await store.deleteGroup('g');
    await store.recover();
    expect([await committed(groups), await committed(groups, 'h')]).toEqual([undefined, 5]);
    expect(groups.describe('h')!.state).toBe('Empty');
  });

  it('go with their topic, also those that were on their way when it was deleted', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 1);
    await commitAlone(groups, 'g', 1, { topic: 'u' });
    store.holdGroups();
    const late = commitAlone(groups, 'g', 2);
    groups.forgetTopic('t');
    expect(await committed(groups)).toBeUndefined();
    store.releaseGroups();
    await late;
    expect(await committed(groups)).toBeUndefined();
    expect(await committed(groups, 'g', 'u')).toBe(1);
    expect((await store.open()).groups.get('g')!.map(({ topic }) => topic)).toEqual(['u']);
  });

  it('are none where somebody commits a negative one', async () => {
    const { groups } = await openGroups();
    await commitAlone(groups, 'g', 1);
    expect(await commitAlone(groups, 'g', -1)).toEqual(['none']);
    expect(await committed(groups)).toBeUndefined();
  });

  it.each([
    ['a note that is too long', { metadata: 'x'.repeat(4_097) }, 'offsetMetadataTooLarge'],
    ['a note that just fits', { metadata: 'x'.repeat(4_096) }, 'none'],
    ['an offset that cannot be kept exactly', { offset: 2 ** 63 }, 'offsetOutOfRange'],
  ])('%s', async (_, change, outcome) => {
    const { groups } = await openGroups();
    const good = { topic: 't', partition: 1, offset: 1, leaderEpoch: 3, metadata: '' };
    const commit = {
      groupId: 'g',
      memberId: '',
      groupInstanceId: null,
      generationId: -1,
      knowsGroupIdNotFound: true,
      offsets: [{ ...good, partition: 0, ...change }, good],
    };
    expect(await groups.commit(commit, new TestClient())).toEqual([outcome, 'none']);
    expect((await offsetsOf(groups, 'g')).get('t')!.get(1)).toMatchObject(good);
  });

  it('are deleted with their group, if it is empty', async () => {
    const { groups, store } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.commit(4);
    expect(await groups.delete('g')).toBe('nonEmptyGroup');
    await member.leave();
    expect(await groups.delete('g')).toBe('none');
    expect([groups.describe('g'), await committed(groups)]).toEqual([undefined, undefined]);
    expect((await store.open()).groups.size).toBe(0);
    expect(await groups.delete('g')).toBe('groupIdNotFound');
  });

  it('stay with a group that somebody joined while it was being deleted', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 4);
    store.holdGroups();
    const deleting = groups.delete('g');
    const [member] = await stableGroup(groups, 1);
    const committing = member.commit(9);
    store.releaseGroups();
    expect(await deleting).toBe('none');
    expect(await committing).toEqual(['none']);
    expect([member.heartbeat(), await committed(groups)]).toEqual(['none', 9]);
  });

  it('of topics that nobody of the group reads can be deleted', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.commit(1);
    await member.commit(1, 0, { topic: 'u' });
    const partitions = ['t', 'u', 'v'].map((topic) => ({ topic, partition: 0 }));
    expect(await groups.deleteOffsets('g', partitions)).toEqual(['groupSubscribedToTopic', 'none', 'none']);
    expect([await committed(groups), await committed(groups, 'g', 'u')]).toEqual([1, undefined]);
    await member.leave();
    expect(await groups.deleteOffsets('g', partitions)).toEqual(['none', 'none', 'none']);
    expect(await committed(groups)).toBeUndefined();
  });

  it('of a group that cannot be understood cannot be deleted', async () => {
    const { groups } = await openGroups();
    const unreadable = [{ name: 'range', metadata: Buffer.from('unreadable') }];
    await stableGroup(groups, 1, { protocols: unreadable });
    await stableGroup(groups, 1, { groupId: 'connect', protocolType: 'connect' });
    const partitions = [{ topic: 'u', partition: 0 }];
    expect(await groups.deleteOffsets('g', partitions)).toEqual(['groupSubscribedToTopic']);
    expect(await groups.deleteOffsets('connect', partitions)).toBe('nonEmptyGroup');
    expect(await groups.deleteOffsets('x', partitions)).toBe('groupIdNotFound');
    expect(await groups.deleteOffsets('', partitions)).toBe('invalidGroupId');
  });
});

describe('who may commit', () => {
  const request = {
    groupId: 'g',
    memberId: '',
    groupInstanceId: null as string | null,
    generationId: -1,
    knowsGroupIdNotFound: true,
    offsets: [{ topic: 't', partition: 0, offset: 1, leaderEpoch: -1, metadata: '' }],
  };

  it.each([
    ['a reader alone, without a group', { groupId: 'new' }, 'none'],
    ['a reader alone, while a group has members', {}, 'unknownMemberId'],
    ['a member of no group', { groupId: 'new', memberId: 'x', generationId: 1 }, 'groupIdNotFound'],
    [
      'a member of no group, for older clients',
      { groupId: 'new', memberId: 'x', generationId: 1, knowsGroupIdNotFound: false },
      'illegalGeneration',
    ],
    ['an unknown member', { memberId: 'x', generationId: 1 }, 'unknownMemberId'],
    ['an unknown instance', { memberId: 'x', groupInstanceId: 'x', generationId: 1 }, 'unknownMemberId'],
  ])('%s', async (_, change, outcome) => {
    const { groups } = await openGroups();
    await stableGroup(groups, 1);
    expect(await groups.commit({ ...request, ...change }, new TestClient())).toEqual([outcome]);
  });

  it('a member in its generation', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    expect(await member.commit(1)).toEqual(['none']);
    member.generationId = 0;
    expect(await member.commit(1)).toEqual(['illegalGeneration']);
    member.generationId = -1;
    expect(await member.commit(1)).toEqual(['illegalGeneration']);
    await member.leave();
    expect(await member.commit(1)).toEqual(['none']);
    member.generationId = 1;
    expect(await member.commit(1)).toEqual(['unknownMemberId']);
  });

  it('nobody between JoinGroup and SyncGroup', async () => {
    const { groups } = await openGroups();
    const member = new TestMember(groups);
    await member.join();
    expect(await member.commit(1)).toEqual(['rebalanceInProgress']);
  });
});

describe('offsets are kept', () => {
  const sweepAfter = async (groups: Groups, days: number) => {
    vi.setSystemTime(Date.now() + days * DAY_MS);
    await groups.sweep(Date.now());
  };

  it('for a week after the last commit of a reader alone, then the group goes too', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 1);
    await sweepAfter(groups, 6.9);
    expect(await committed(groups)).toBe(1);
    await sweepAfter(groups, 0.2);
    expect([groups.list(), (await store.open()).groups.size]).toEqual([[], 0]);
  });

  it('for a week after the last member left', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1, { sessionTimeoutMs: 1_800_000 });
    await member.commit(1);
    await sweepAfter(groups, 10);
    expect(await committed(groups)).toBe(1);
    await member.leave();
    await sweepAfter(groups, 6.9);
    expect(await committed(groups)).toBe(1);
    await sweepAfter(groups, 0.2);
    expect(groups.list()).toEqual([]);
  });

  it('for a week after a restart, as members may have been there until then', async () => {
    const { groups, store } = await openGroups();
    await commitAlone(groups, 'g', 1);
    groups.close();
    vi.setSystemTime(Date.now() + 30 * DAY_MS);
    const { groups: again } = await openGroups(store);
    await sweepAfter(again, 6.9);
    expect(await committed(again)).toBe(1);
    await sweepAfter(again, 0.2);
    expect(await committed(again)).toBeUndefined();
  });

  it('while consumers are at work, for a week for topics that none of them reads any more', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    await member.commit(1);
    await member.commit(1, 0, { topic: 'u' });
    await sweepAfter(groups, 7);
    expect([await committed(groups), await committed(groups, 'g', 'u')]).toEqual([1, undefined]);
  });

  it('as long as the store refuses to delete them', async () => {
    const { groups, store, log } = await openGroups();
    await commitAlone(groups, 'g', 1);
    store.isFailing = true;
    await sweepAfter(groups, 8);
    expect([await committed(groups), log.lines.at(-1)]).toEqual([
      1,
      'warn: old offsets of groups could not be deleted',
    ]);
    store.isFailing = false;
    await groups.sweep(Date.now());
    expect(groups.list()).toEqual([]);
  });

  it('and groups that nobody is in and nothing is left of are not', async () => {
    const { groups } = await openGroups(new GroupStore());
    await new TestMember(groups, { needsKnownMemberId: true, sessionTimeoutMs: 6_000 }).join();
    expect(groups.list()).toHaveLength(1);
    await groups.sweep(Date.now());
    expect(groups.list()).toHaveLength(1);
    vi.advanceTimersByTime(10 * 60_000);
    await vi.waitFor(() => expect(groups.list()).toEqual([]));
  });
});
