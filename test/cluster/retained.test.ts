import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BrokerError } from '../../internal/errors.ts';
import type { Client, Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await fakeCluster(3);
});

afterEach(() => cluster.close());

/** What a new subscriber of a node gets of retained messages, by topic. */
async function retainedAt(node: number, filter = '#'): Promise<Record<string, string>> {
  const client = await cluster.client(node);
  const found: Record<string, string> = {};
  await client.subscribe(filter, (message: Message) => {
    if (message.retained) found[message.topic] = message.text();
  });
  await client.publish('end/of/retained', 'x', { qos: 1 });
  await client.ping();
  await client.close();
  return found;
}

/** Waits until new subscribers of all nodes get this. */
async function untilRetained(expected: Record<string, string>, nodes = [0, 1, 2]): Promise<void> {
  await eventually(
    async () => {
      const found = await Promise.all(nodes.map((node) => retainedAt(node)));
      return found.every((each) => JSON.stringify(sorted(each)) === JSON.stringify(sorted(expected)));
    },
    `these retained messages: ${JSON.stringify(expected)}`,
  );
}

const sorted = (record: Record<string, string>) => Object.entries(record).sort();

const retain = (client: Client, topic: string, text: string, more = {}) =>
  client.publish(topic, text, { qos: 1, retain: true, ...more });

describe('retained messages of a cluster', { timeout: 120_000 }, () => {
  it('are those of all nodes, at once where they were published', async () => {
    const [one, other] = [await cluster.client(0), await cluster.client(1)];
    one.publish('a', '1', { retain: true });
    await one.ping();
    expect(await retainedAt(0)).toEqual({ a: '1' });
    await retain(other, 'b', '2');
    await untilRetained({ a: '1', b: '2' });
    await retain(other, 'a', '');
    await untilRetained({ b: '2' });
  });

  it('end alike everywhere, however they are published at once', async () => {
    const clients = await Promise.all([0, 1, 2].map((node) => cluster.client(node)));
    const publishing: unknown[] = [];
    for (let index = 0; index < 300; index++) {
      publishing.push(retain(clients[index % 3]!, `t/${index % 7}`, `${index}`));
      if (index % 20 === 0) await new Promise(setImmediate);
    }
    await Promise.all(publishing);
    const last = await eventually(async () => {
      const found = await Promise.all([0, 1, 2].map((node) => retainedAt(node)));
      const texts = found.map((each) => JSON.stringify(sorted(each)));
      return new Set(texts).size === 1 ? found[0] : undefined;
    }, 'the same on all nodes');
    expect(Object.keys(last)).toHaveLength(7);
  });

  it('are there for a node that starts later', async () => {
    await retain(await cluster.client(0), 'before', 'x');
    await cluster.start();
    await untilRetained({ before: 'x' }, [3]);
  });

  it('are acknowledged when the servers have them, and go there when those are back', async () => {
    const client = await cluster.client(0);
    cluster.shared.tables.isAway = true;
    await expect(Promise.resolve(retain(client, 'a', '1'))).rejects.toMatchObject({
      code: 'store-unavailable',
    });
    expect(await retainedAt(0)).toEqual({ a: '1' });
    expect(await retainedAt(1)).toEqual({});
    cluster.shared.tables.isAway = false;
    await untilRetained({ a: '1' });
  });

  it('expire on every node', async () => {
    await retain(await cluster.client(0), 'soon', 'x', { expiresIn: 1_000 });
    await untilRetained({});
  });

  it('that no server takes are refused, and the one before stays', async () => {
    const client = await cluster.client(0, {});
    await retain(client, 'a', 'small');
    const large = client.publish('a', Buffer.alloc(7 * 1024 * 1024 + 1), { qos: 1, retain: true });
    await expect(Promise.resolve(large)).rejects.toMatchObject({
      code: 'message-too-large' satisfies BrokerError['code'],
    });
    await untilRetained({ a: 'small' });
  });
});
