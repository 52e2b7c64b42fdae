import { hostname } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';
import { post } from '../support/http-door.ts';

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await fakeCluster(3, { http: { listen: ['http://127.0.0.1:0'] }, keep: [{ filter: 'orders' }] });
});

afterEach(() => cluster.close());

interface ShownNode {
  node: number;
  self: boolean;
  clients?: number;
  version?: string;
  host?: string;
  listeners?: { door: string; url: string }[];
  coordinator: boolean;
  link?: { filters: number; lost: number; slow: boolean; waitingBytes: number };
}

async function nodesSeenBy(node: number): Promise<ShownNode[]> {
  return (await (await fetch(`${cluster.urlOf(node, 'http')}/nodes`)).json()) as ShownNode[];
}

it('each node shows all of them, with their clients and the ways there', async () => {
  const subscriber = await cluster.client(1);
  await subscriber.subscribe('a/#', () => {});
  await subscriber.subscribe('b', () => {});
  await cluster.client(2);
  for (const node of [0, 1, 2]) {
    const nodes = await eventually(async () => {
      const seen = await nodesSeenBy(node);
      return seen.length === 3 && seen[1]!.clients === 1 && seen[2]!.clients === 1 ? seen : undefined;
    }, 'what all nodes say of themselves');
    expect(nodes.map(({ self }) => self)).toEqual([0, 1, 2].map((each) => each === node));
    expect(nodes.map(({ coordinator }) => coordinator)).toEqual([true, false, false]);
    expect(nodes.map(({ host }) => host)).toEqual([hostname(), hostname(), hostname()]);
    for (const [index, { listeners, link, self }] of nodes.entries()) {
      expect(listeners).toContainEqual({ door: 'http', url: cluster.urlOf(index, 'http') });
      const filters = index === 1 ? 2 : 0;
      expect(link).toEqual(self ? undefined : { filters, lost: 0, slow: false, waitingBytes: 0 });
    }
  }
});

it('each node shows who leads the partitions of a log', async () => {
  const { shared, urlOf } = cluster;
  await post(urlOf(0, 'http'), 'orders?qos=1', 'x');
  const leadersSeenBy = async (node: number) => {
    const answer = await fetch(`${urlOf(node, 'http')}/logs/orders`);
    const { partitions } = (await answer.json()) as { partitions: { leader: number | null }[] };
    return partitions.map(({ leader }) => leader);
  };
  expect([await leadersSeenBy(0), await leadersSeenBy(1)]).toEqual([[1], [1]]);
  await shared.move(shared.members[1]!);
  expect([await leadersSeenBy(0), await leadersSeenBy(1)]).toEqual([[2], [2]]);
  shared.leader = undefined;
  expect(await leadersSeenBy(0)).toEqual([null]);
});

it('a node that is gone is shown no longer', async () => {
  await cluster.brokers[2]!.close();
  await eventually(async () => (await nodesSeenBy(0)).length === 2, 'two nodes');
  expect(cluster.brokers[0]!.stats()).toMatchObject({ links: 1, node: 1 });
});
