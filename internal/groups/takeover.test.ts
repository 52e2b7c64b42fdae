import { describe, expect, it } from 'vitest';
import {
  commitAlone,
  GroupStore,
  isWaiting,
  joining,
  offsetsOf,
  openGroups,
  stableGroup,
  TestClient,
  TestMember,
} from '../../test/support/groups.ts';
import { StoreError } from '../store/store-error.ts';

/** A store of which one of two nodes coordinates the groups. */
class SharedGroupStore extends GroupStore {
  isReplaced = false;

  async confirm(): Promise<void> {
    if (this.isReplaced) throw new StoreError('not-leader', 'another node does');
  }
}

/** The groups of the node that is replaced, and of the one that takes over. */
async function twoNodes() {
  const store = new SharedGroupStore();
  const { groups: first } = await openGroups(store);
  const other = new GroupStore();
  const { groups: second } = await openGroups(other);
  other.emit({ kind: 'groups', groups: 'elsewhere' });
  const stored = () => store.open();
  return { store, first, other, second, stored };
}

describe('groups that another node coordinates', () => {
  it('are refused, whatever is asked', async () => {
    const { second } = await twoNodes();
    const member = new TestMember(second);
    expect((await member.join()).error).toBe('notCoordinator');
    expect((await member.sync()).error).toBe('notCoordinator');
    expect(member.heartbeat()).toBe('notCoordinator');
    expect(await member.leave()).toBe('notCoordinator');
    expect(await member.commit(1)).toEqual(['notCoordinator']);
    expect(await second.offsets('g', false)).toBe('notCoordinator');
    expect(await second.delete('g')).toBe('notCoordinator');
    expect(await second.deleteOffsets('g', [])).toBe('notCoordinator');
    expect(await second.resetOffsets('g', { to: { kind: 'none' } })).toBe('notCoordinator');
    expect(second.list()).toEqual([]);
    expect(second.absence).toBe('notCoordinator');
    second.close();
  });

  it('are refused otherwise while they are read', async () => {
    const { other, second } = await twoNodes();
    other.emit({ kind: 'groups', groups: 'loading' });
    expect((await second.join(joining(), new TestClient())).error).toBe('coordinatorLoadInProgress');
    expect(second.absence).toBe('coordinatorLoadInProgress');
  });

  it('go on with their generation where this node takes over', async () => {
    const { first, second, other, stored } = await twoNodes();
    const [leader, follower] = await stableGroup(first, 2);
    await leader!.commit(7);
    other.emit({ kind: 'groups', groups: await stored() });
    first.close();
    for (const member of [leader!, follower!]) {
      member.groups = second;
      expect(member.heartbeat()).toBe('none');
    }
    expect((await offsetsOf(second, 'g')).get('t')!.get(0)!.offset).toBe(7);
    expect(await follower!.commit(8)).toEqual(['none']);
    expect(second.absence).toBeUndefined();
    second.close();
  });

  it('are let go with those who wait in them', async () => {
    const { store, first } = await twoNodes();
    const members = await stableGroup(first, 2);
    const joining = members[0]!.join();
    expect(await isWaiting(joining)).toBe(true);
    store.emit({ kind: 'groups', groups: 'elsewhere' });
    expect((await joining).error).toBe('coordinatorNotAvailable');
    expect(members[1]!.heartbeat()).toBe('notCoordinator');
    const { memberSaves } = store;
    await first.sweep(Date.now() + 1e12);
    expect(store.memberSaves, 'what the other node has is not touched').toBe(memberSaves);
  });

  it('have no offsets told by a node that was replaced and does not know it', async () => {
    const { store, first } = await twoNodes();
    await commitAlone(first, 'g', 7);
    expect((await offsetsOf(first, 'g')).get('t')!.get(0)!.offset).toBe(7);
    store.isReplaced = true;
    expect(await first.offsets('g', false)).toBe('notCoordinator');
    first.close();
  });
});
