import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { anonymous } from '../../internal/access/identity.ts';
import { MqttClient } from '../../internal/clients/mqtt/client.ts';
import type { ClientCredentials } from '../../internal/clients/socket.ts';
import { PacketKind } from '../../internal/doors/links/packets.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { connect } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';

let cluster: FakeCluster;
const stop = new AbortController();

/** Everybody is who they say; nobody in particular without a name. */
const believing: Authenticator = {
  authenticate: (peer, shown) =>
    shown.kind === 'password' ? { ...anonymous(peer), user: shown.user } : anonymous(peer),
};

beforeEach(async () => {
  cluster = await fakeCluster(3, { authenticator: believing });
});

afterEach(() => cluster.close());

/** An MQTT client of a node, and how it ended. */
async function mqttClient(node: number, clientId: string, credentials?: ClientCredentials) {
  const { hostname: host, port } = new URL(cluster.urlOf(node, 'frames'));
  const client = await MqttClient.connect(
    { host, port: Number(port) },
    {
      ...{ clientId, credentials, softwareVersion: 'test', tls: undefined },
      ...{ connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, stop: stop.signal },
    },
  );
  const end = { text: '' };
  client.ended.catch((error: Error) => {
    end.text = error.message;
  });
  return { client, end };
}

/** How many clients the nodes have together. */
const clientCount = () => cluster.brokers.reduce((sum, broker) => sum + broker.stats().clients!, 0);

describe('a client id', { timeout: 120_000 }, () => {
  it('is taken over by who connects to another node, whatever its protocol, which the older one is told', async () => {
    const first = await mqttClient(0, 'me');
    const second = await mqttClient(1, 'me');
    await eventually(() => first.end.text !== '', 'the end of the first');
    expect(first.end.text).toContain('Session taken over');
    const third = await connect(cluster.urlOf(2, 'frames'), { clientId: 'me', reconnect: false });
    await eventually(() => second.end.text !== '', 'the end of the second');
    expect(second.end.text).toContain('Session taken over');
    const closed = new Promise<unknown>((resolve) => third.on('close', resolve));
    const fourth = await mqttClient(0, 'me');
    await closed;
    expect([clientCount(), fourth.end.text]).toEqual([1, '']);
    fourth.client.close();
  });

  it('has exactly one connection when all nodes get it at once, again and again', async () => {
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(
        [0, 1, 2].map((node) => mqttClient(node, 'wanted').catch(() => undefined)),
      );
      await eventually(() => clientCount() === 1, 'one connection');
      for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
      expect(clientCount()).toBe(1);
      for (const each of clients) each?.client.close();
      await eventually(() => clientCount() === 0, 'no connection');
    }
  });

  it('is decided when the nodes hear of one another again, where the news was lost', async () => {
    cluster.shared.loses = (_from, _to, packet) => packet[0] === PacketKind.claims;
    const first = await mqttClient(0, 'me');
    const second = await mqttClient(1, 'me');
    await eventually(() => clientCount() === 2, 'both connections');
    cluster.shared.loses = () => false;
    await eventually(() => clientCount() === 1, 'one connection');
    expect([first.end.text === '', second.end.text === '']).toEqual([false, true]);
  });

  it('stays with the later connection where the clock of its node is behind', async () => {
    await cluster.start({ clock: new MovableClock(Date.now() - 3_600_000) });
    await eventually(
      () => cluster.brokers.every((broker) => broker.stats().links === 3),
      'links of all nodes',
    );
    const first = await mqttClient(0, 'me');
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
    const second = await mqttClient(3, 'me');
    await eventually(() => first.end.text !== '', 'the end of the first');
    expect(second.end.text).toBe('');
  });

  it('of a user is not taken over by another user on another node', async () => {
    const credentials = (user: string) => ({ user, password: () => 'x' });
    const owner = await mqttClient(0, 'mine', credentials('alice'));
    const other = await mqttClient(1, 'mine', credentials('bob')).catch((error: Error) => error);
    if (!(other instanceof Error)) {
      await eventually(() => other.end.text !== '', 'the end of the other');
      expect(other.end.text).toContain('Not authorized');
    }
    expect(owner.end.text).toBe('');
    await mqttClient(2, 'mine', credentials('alice'));
    await eventually(() => owner.end.text !== '', 'the end of the first');
  });
});
