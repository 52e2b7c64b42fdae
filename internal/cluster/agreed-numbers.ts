import type { KafkaAddress } from '../log/nodes.ts';
import { storedNumber } from '../store/stored-number.ts';
import type { Meta } from './meta.ts';

/** The number of a node, given once. */
export function nextNode(meta: Meta): Promise<number> {
  return meta.reserve('last-node', 1);
}

/**
 * By which Kafka's clients know the broker at an address: the number of the first node that was reached there. Clients remember brokers
 * by it, and some ask one that has gone for ever, as long as nobody comes back under the same.
 */
export async function agreedBrokerId(
  meta: SharedValues,
  node: number,
  { host, port }: KafkaAddress,
): Promise<number> {
  const key = `kafka-broker ${host}:${port}`;
  await meta.swap(key, undefined, Buffer.from(String(node)));
  return storedNumber(key, (await meta.value(key))!);
}

type SharedValues = Pick<Meta, 'swap' | 'value'>;

/** How many shards there are: as many as the first node of the cluster wanted. @throws StoreError `corrupt` */
export async function agreedShardCount(meta: Meta, wanted: number): Promise<number> {
  await meta.swap('shards', undefined, Buffer.from(String(wanted)));
  return storedNumber('shards', (await meta.value('shards'))!);
}
