import { Connection } from './connection.ts';
import type { Setting } from './scenario.ts';
import type { Traffic } from './traffic.ts';

export interface Parties {
  publishers: Connection[];
  subscribers: Connection[];
}

/** Connects everybody whom a workload needs; returns when every subscription is in place. */
export async function connectAll(
  { peer, address, subscriberAddress = address }: Setting,
  traffic: Traffic,
): Promise<Parties> {
  const subscribers = await openInWaves(traffic.subscriptions.length, async (index) => {
    const subscriber = await Connection.open(subscriberAddress, peer.wire, `sub-${index}`);
    const requests = traffic.subscriptions[index].map((filter, position) =>
      peer.wire.subscribe(filter, traffic.firstSubscriptionId + position),
    );
    await subscriber.ask(Buffer.concat(requests));
    return subscriber;
  });
  const publishers = await openInWaves(traffic.publisherIds.length, (index) =>
    Connection.open(address, peer.wire, traffic.publisherIds[index]),
  );
  await Promise.all([...publishers, ...subscribers].map((connection) => connection.answerLateQuestion()));
  return { publishers, subscribers };
}

/** As many as a listener's backlog takes without trouble. */
const WAVE_CONNECTIONS = 100;

/** Opens many connections, a wave at a time. */
export async function openInWaves(
  count: number,
  open: (index: number) => Promise<Connection>,
): Promise<Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count) {
    const wave = Math.min(WAVE_CONNECTIONS, count - connections.length);
    const first = connections.length;
    connections.push(
      ...(await Promise.all(Array.from({ length: wave }, (_, offset) => open(first + offset)))),
    );
  }
  return connections;
}
