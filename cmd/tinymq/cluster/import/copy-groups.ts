import { listGroups, resetGroup, showGroup } from '../../../../internal/admin/operations/groups.ts';
import { listNodes } from '../../../../internal/admin/operations/nodes.ts';
import { Failure } from '../../../../internal/lib/failure.ts';
import { isInternalTopic } from '../../../../internal/log/names.ts';
import type { GroupOffset } from '../../../../internal/store/log-store.ts';
import { allPages } from '../../broker/pages.ts';
import { type RunningBroker, withBroker } from '../../reach/reach.ts';
import type { Place } from '../../reach/target.ts';

/** What became of what groups had committed. */
export interface CopiedGroups {
  readonly groups: number;
  readonly imported: number;
  /** Groups that could not be changed, with the reason. */
  readonly refused: readonly string[];
}

/** Sets what groups have committed, unless they have committed something there. */
export async function copyGroups(
  groups: ReadonlyMap<string, readonly GroupOffset[]>,
  broker: RunningBroker,
  place: Place,
): Promise<CopiedGroups> {
  if (groups.size === 0) return { groups: 0, imported: 0, refused: [] };
  return onCoordinator(broker, place, async (coordinator) => {
    const there = await groupsThere(coordinator);
    let imported = 0;
    const refused: string[] = [];
    for (const [id, offsets] of groups) {
      try {
        imported += await copyGroup(id, offsets, coordinator, there.has(id));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        refused.push(error.message);
      }
    }
    return { groups: groups.size, imported, refused };
  });
}

async function groupsThere(broker: RunningBroker): Promise<Set<string>> {
  const found = await allPages(
    Number.MAX_SAFE_INTEGER,
    (page) => broker.call(listGroups, page),
    (page) => page.groups,
  );
  return new Set(found.map(({ id }) => id as string));
}

async function copyGroup(
  id: string,
  offsets: readonly GroupOffset[],
  broker: RunningBroker,
  isThere: boolean,
): Promise<number> {
  const known = isThere ? (await broker.call(showGroup, { id })).partitions : [];
  const committed = new Set(
    known
      .filter(({ committedOffset }) => committedOffset !== undefined)
      .map(({ topic, partition }) => `${partition} ${topic}`),
  );
  let imported = 0;
  for (const { topic, partition, offset } of offsets) {
    if (isInternalTopic(topic) || committed.has(`${partition} ${topic}`)) continue;
    await broker.call(resetGroup, { id, topic, partition, to: String(offset) });
    imported++;
  }
  return imported;
}

/** Groups are changed on the node that coordinates them. @throws Failure where it cannot be reached */
async function onCoordinator<T>(
  broker: RunningBroker,
  place: Place,
  work: (coordinator: RunningBroker) => Promise<T>,
): Promise<T> {
  const coordinator = (await broker.call(listNodes, {})).find((node) => node.coordinator);
  if (coordinator === undefined)
    throw new Failure('no node coordinates groups at the moment; run this again, it goes on where it was');
  if (coordinator.self) return work(broker);
  const { node, listeners = [] } = coordinator;
  const url = listeners.find(({ door }) => door === 'http')?.url;
  if (url === undefined)
    throw new Failure(`groups are coordinated by node ${node}, which has no HTTP door: start it with -http`);
  const values = { ...place.values, url };
  try {
    return await withBroker({ ...place, values, given: new Set(['url']) }, work);
  } catch (error) {
    const how = `groups are coordinated by node ${node}; run this again with -url of that node`;
    throw new Failure(`${how}: ${(error as Error).message}`);
  }
}
