import type { Meta } from './meta.ts';

/** The number of a node, given once. */
export function nextNode(meta: Meta): Promise<number> {
  return meta.reserve('last-node', 1);
}

/** How many shards there are: as many as the first node of the cluster wanted. */
export async function agreedShardCount(meta: Meta, wanted: number): Promise<number> {
  await meta.swap('shards', undefined, Buffer.from(String(wanted)));
  return Number(Buffer.from((await meta.value('shards'))!).toString());
}
