import type { Meta } from './meta.ts';

/** The number of a node, given once. */
export async function nextNode(values: Meta): Promise<number> {
  for (;;) {
    const before = await values.value('last-node');
    const node = 1 + Number(Buffer.from(before ?? []).toString() || 0);
    if (await values.swap('last-node', before, Buffer.from(String(node)))) return node;
  }
}

/** How many shards there are: as many as the first node of the cluster wanted. */
export async function agreedShardCount(meta: Meta, wanted: number): Promise<number> {
  await meta.swap('shards', undefined, Buffer.from(String(wanted)));
  return Number(Buffer.from((await meta.value('shards'))!).toString());
}
