import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Connect, Version } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt, type RawMqtt } from './client.ts';

/** What the tests of a file share: a broker, and clients that are gone after each test. */
export interface Fixture {
  readonly url: string;
  readonly broker: RunningBroker;
  /** A connection without CONNECT. */
  open(version: Version): Promise<RawMqtt>;
  connect(version: Version, options?: Partial<Connect>, acknowledges?: boolean): Promise<RawMqtt>;
  /** One value of the broker's counters and gauges. */
  stat(name: string): number;
}

/** Starts a broker for the tests of a file. */
export function useBroker(options: BrokerOptions = {}): Fixture {
  let broker: RunningBroker;
  let clients: RawMqtt[] = [];

  beforeAll(async () => {
    broker = await startBroker({ listen: ['tcp://localhost:0'], sysIntervalMs: 0, ...options });
  });
  afterEach(() => {
    for (const client of clients) client.drop();
    clients = [];
  });
  afterAll(() => broker.close());

  function noted(client: RawMqtt): RawMqtt {
    clients.push(client);
    return client;
  }

  return {
    get url() {
      return broker.url;
    },
    get broker() {
      return broker;
    },
    open: async (version) => noted(await openMqtt(broker.url, version)),
    connect: async (version, connect, acknowledges) =>
      noted(await connectMqtt(broker.url, version, connect, acknowledges)),
    stat: (name) => broker.stats()[name] ?? 0,
  };
}
