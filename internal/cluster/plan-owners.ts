/**
 * Plans who is to own each shard, so that no node owns two more than another one. Nodes that know of the same owners and
 * candidates come to the same plan. A shard stays with its owner where that will do, the first one longest: its owner coordinates
 * all groups.
 *
 * @param owners of each shard; undefined where it has none
 * @param candidates that may come to own more, one at least
 */
export function planOwners(owners: readonly (number | undefined)[], candidates: readonly number[]): number[] {
  const counts = new Map<number, number>();
  const count = (node: number, by: number) => counts.set(node, (counts.get(node) ?? 0) + by);
  for (const node of candidates) count(node, 0);
  for (const node of owners) if (node !== undefined) count(node, 1);
  const countOf = (node: number) => counts.get(node)!;
  const least = () => [...candidates].sort((a, b) => countOf(a) - countOf(b) || a - b)[0]!;
  const plan = owners.map((owner) => {
    if (owner !== undefined) return owner;
    const node = least();
    count(node, 1);
    return node;
  });
  for (;;) {
    const to = least();
    const most = Math.max(...counts.values());
    if (most - countOf(to) < 2) return plan;
    const shard = plan.findLastIndex((node) => countOf(node) === most);
    count(plan[shard]!, -1);
    count(to, 1);
    plan[shard] = to;
  }
}
