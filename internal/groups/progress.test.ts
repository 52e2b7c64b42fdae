import { describe, expect, it } from 'vitest';
import {
  commitAlone,
  GroupStore,
  offsetsOf,
  openGroups,
  stableGroup,
  TestMember,
  TestPartitions,
} from '../../test/support/groups.ts';
import type { ResetTarget } from './group-types.ts';

async function opened() {
  const partitions = new TestPartitions();
  partitions.ends.set('t', [
    { first: 5, end: 20 },
    { first: 0, end: 8 },
  ]);
  partitions.ends.set('u', [{ first: 0, end: 3 }]);
  return { ...(await openGroups(new GroupStore(), partitions)), partitions };
}

type Opened = Awaited<ReturnType<typeof opened>>;

/** What the group has committed, as `topic/partition: offset`. */
async function committed({ groups }: Opened, groupId = 'g'): Promise<string[]> {
  const offsets = await offsetsOf(groups, groupId, true);
  return [...offsets].flatMap(([topic, list]) =>
    Array.from(list.values(), ({ partition, offset }) => `${topic}/${partition}: ${offset}`),
  );
}

describe('the lag of a group', () => {
  it('is what lies behind its commits, and says who reads what', async () => {
    const { groups } = await opened();
    const member = new TestMember(groups);
    await member.join();
    const { memberId, generationId } = member;
    const assignments = [{ memberId, assignment: Buffer.from('[0, 1]') }];
    const named = { groupId: 'g', memberId, groupInstanceId: null, generationId };
    await groups.sync({ ...named, protocolType: null, protocolName: null, assignments }, member.client);
    await member.commit(12);
    await member.commit(5, 0, { topic: 'u' });
    const { partitions, members, ...group } = groups.lagOf('g')!;
    expect(group).toEqual({
      ...{ groupId: 'g', state: 'Stable', protocolType: 'consumer', protocolName: 'range', lag: 8 },
    });
    expect(members).toEqual([
      {
        ...{ memberId, groupInstanceId: null, clientId: 'client', clientHost: '127.0.0.1' },
        assigned: [
          { topic: 't', partition: 0 },
          { topic: 't', partition: 1 },
        ],
      },
    ]);
    // What was committed beyond the end, as after a log was replaced, is no lag below zero.
    expect(
      partitions.map(({ topic, partition, committed, first, end, lag }) => [
        ...[`${topic}/${partition}`, committed, first, end, lag],
      ]),
    ).toEqual([
      ['t/0', 12, 5, 20, 8],
      ['t/1', undefined, 0, 8, undefined],
      ['u/0', 5, 0, 3, 0],
    ]);
    expect(partitions.map(({ memberId: id }) => id === memberId)).toEqual([true, true, false]);
  });

  it('is told of members whose words nobody understands, and of partitions that are no more', async () => {
    const { groups, partitions } = await opened();
    await stableGroup(groups, 2);
    await commitAlone(groups, 'h', 1, { topic: 'u' });
    expect(groups.lagOf('g')).toMatchObject({ members: [{ assigned: [] }, { assigned: [] }], lag: 0 });
    partitions.ends.delete('u');
    expect(groups.lagOf('h')).toMatchObject({
      partitions: [{ committed: 1, end: undefined, lag: undefined }],
    });
    expect(groups.lagOf('nobody')).toBeUndefined();
  });
});

describe('a reset of offsets', () => {
  const targets: [ResetTarget, string[]][] = [
    [{ kind: 'earliest' }, ['t/0: 5', 't/1: 0']],
    [{ kind: 'latest' }, ['t/0: 20', 't/1: 8']],
    [{ kind: 'offset', offset: 9 }, ['t/0: 9', 't/1: 8']],
    [{ kind: 'offset', offset: 2 }, ['t/0: 5', 't/1: 2']],
    [{ kind: 'time', timeMs: 7 }, ['t/0: 7', 't/1: 7']],
    [{ kind: 'none' }, []],
  ];

  it.each(targets)(
    'to %j sets all partitions of a topic, also of a group that was not there',
    async (to, after) => {
      const open = await opened();
      const places = [{ topic: 't' }];
      const answer = await open.groups.resetOffsets('g', { places, to });
      expect(answer).toHaveLength(2);
      expect(await committed(open)).toEqual(after);
      expect(open.groups.describe('g')?.state).toBe(after.length > 0 ? 'Empty' : undefined);
    },
  );

  it('concerns what was committed, or the partitions that are named, and nothing else', async () => {
    const open = await opened();
    await commitAlone(open.groups, 'g', 6);
    await commitAlone(open.groups, 'g', 1, { topic: 'u' });
    await open.groups.resetOffsets('g', { to: { kind: 'latest' } });
    expect(await committed(open)).toEqual(['t/0: 20', 'u/0: 3']);
    const places = [
      { topic: 't', partition: 0 },
      { topic: 't', partition: 0 },
    ];
    expect(await open.groups.resetOffsets('g', { places, to: { kind: 'earliest' } })).toEqual([
      { topic: 't', partition: 0, offset: 5 },
    ]);
    expect(await committed(open)).toEqual(['t/0: 5', 'u/0: 3']);
  });

  it('is refused as a whole where it cannot be, and changes nothing then', async () => {
    const open = await opened();
    const { groups, store } = open;
    await commitAlone(groups, 'g', 6);
    const reset = (groupId: string, to: ResetTarget, places?: { topic: string; partition?: number }[]) =>
      groups.resetOffsets(groupId, { to, ...(places && { places }) });
    const latest = { kind: 'latest' } as const;
    expect(await reset('', latest)).toBe('invalidGroupId');
    expect(await reset('h', latest)).toBe('groupIdNotFound');
    expect(await reset('g', latest, [{ topic: 't' }, { topic: 'x' }])).toBe('unknownTopicOrPartition');
    expect(await reset('g', latest, [{ topic: 't', partition: 2 }])).toBe('unknownTopicOrPartition');
    expect(await reset('g', { kind: 'offset', offset: -1 })).toBe('offsetOutOfRange');
    expect(await reset('g', { kind: 'offset', offset: 0.5 })).toBe('offsetOutOfRange');
    store.isFailing = true;
    expect(await reset('g', latest)).toBe('coordinatorNotAvailable');
    expect(await reset('h', latest, [{ topic: 't' }])).toBe('coordinatorNotAvailable');
    store.isFailing = false;
    expect(groups.describe('h')).toBeUndefined();
    expect(await committed(open)).toEqual(['t/0: 6']);
    groups.close();
    expect(await reset('g', latest)).toBe('coordinatorNotAvailable');
  });

  // Its members would commit over it, so that whoever asked would believe what is not so.
  it('is refused while the group has members, also where one joins while a time is looked for', async () => {
    const open = await opened();
    const { groups, partitions } = open;
    await commitAlone(groups, 'g', 6);
    const looking = Promise.withResolvers<number>();
    partitions.offsetForTime = () => looking.promise;
    const reset = groups.resetOffsets('g', { to: { kind: 'time', timeMs: 0 } });
    await new TestMember(groups).join();
    looking.resolve(0);
    expect(await reset).toBe('nonEmptyGroup');
    expect(await groups.resetOffsets('g', { to: { kind: 'none' } })).toBe('nonEmptyGroup');
    expect(await groups.delete('g')).toBe('nonEmptyGroup');
    expect(await committed(open)).toEqual(['t/0: 6']);
  });
});
