import { storedNumber } from '../store/stored-number.ts';
import type { Meta } from './meta.ts';

/** The number of a node, given once. */
export function nextNode(meta: Meta): Promise<number> {
  return meta.reserve('last-node', 1);
}

/** How many shards there are: as many as the first node of the cluster wanted. @throws StoreError `corrupt` */
export async function agreedShardCount(meta: Meta, wanted: number): Promise<number> {
  await meta.swap('shards', undefined, Buffer.from(String(wanted)));
  return storedNumber('shards', (await meta.value('shards'))!);
}
