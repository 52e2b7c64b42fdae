import { describe, expect, it } from 'vitest';
import { connect, type Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type ClusterNode, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * Wills of clients whose broker was killed, so that nobody there publishes them.
 */

const program = await natsServer();
const natsProgram = 'there' in program ? program.there : '';

async function leaves(node: ClusterNode, topic: string): Promise<void> {
  const client = await connect(node.urlOf('frames'), {
    ...{ clientId: topic.replace('/', '-'), reconnect: false },
    will: { topic, payload: 'gone', qos: 1, retain: true },
  });
  client.on('close', () => {});
}

async function watches(node: ClusterNode): Promise<Message[]> {
  const got: Message[] = [];
  const client = await connect(node.urlOf('frames'), {});
  await client.subscribe('wills/#', (message) => void got.push(message));
  return got;
}

const texts = (messages: readonly Message[]) => messages.map(({ topic }) => topic).sort();

/** What comes twice comes soon after. */
const TWICE_WITHIN_MS = 2_500;

describe.runIf('there' in program)('wills of brokers that were killed', () => {
  it('are published once by another one, or after all have started again', async () => {
    await using cluster = await startClusterProcesses(natsProgram);
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    const got = await watches(b);
    await leaves(a, 'wills/a');
    await leaves(c, 'wills/c');
    await leaves(b, 'wills/b');
    await a.kill();
    await eventually(() => got.length > 0, 'the will of a client of the broker that was killed');
    await new Promise((resolve) => setTimeout(resolve, TWICE_WITHIN_MS));
    expect(texts(got)).toEqual(['wills/a']);

    await Promise.all([b.kill(), c.kill()]);
    await Promise.all(cluster.nodes.map((node) => node.start()));
    const later = await watches(a);
    await eventually(() => later.length >= 3, 'the wills of clients of all brokers');
    await new Promise((resolve) => setTimeout(resolve, TWICE_WITHIN_MS));
    expect(texts(later)).toEqual(['wills/a', 'wills/b', 'wills/c']);
    expect(later.filter(({ retained }) => retained).map(({ topic }) => topic)).toEqual(['wills/a']);
  }, 180_000);
});
