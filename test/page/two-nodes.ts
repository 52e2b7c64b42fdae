import { onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';
import { getJson, post } from '../support/http-door.ts';

/** Two nodes of a cluster in this process. The first one serves the page, has a log, and knows of a subscriber of the second one. */
export async function startTwoNodes(): Promise<FakeCluster & { http: string }> {
  const cluster = await fakeCluster(2, {
    http: { listen: ['http://127.0.0.1:0'] },
    keep: [{ filter: 'orders' }],
    // What the store is called; nobody connects there.
    cluster: { servers: ['nats://127.0.0.1:4222'] },
  });
  onTestFinished(() => cluster.close());
  const http = cluster.urlOf(0, 'http');
  const subscriber = await cluster.client(1);
  await subscriber.subscribe('a/#', () => {});
  await eventually(async () => {
    const [, other] = await getJson<{ clients?: number; link?: { filters: number } }[]>(`${http}/nodes`);
    return other?.clients === 1 && other.link?.filters === 1;
  }, 'what the other node says of itself');
  await post(http, 'orders?qos=1', 'x');
  return { ...cluster, http };
}
