import { DOORS } from '../../internal/doors/all.ts';
import type { BrokerOptions } from '../../internal/server/options.ts';
import { type RunningBroker, startWithDoors } from '../../internal/server/start-broker.ts';
import { type Client, type ConnectOptions, connect } from '../../pkg/client/index.ts';
import { eventually } from './eventually.ts';
import { type FakeMember, SharedStore } from './shared-store.ts';

/** Brokers in this process that are the nodes of a cluster, and their clients. */
export interface FakeCluster extends AsyncDisposable {
  readonly shared: SharedStore;
  readonly brokers: RunningBroker[];
  /** Starts one node more. */
  start(options?: BrokerOptions): Promise<RunningBroker>;
  /** Where a node listens for clients of a protocol. */
  urlOf(node: number, door: 'frames' | 'mqtt' | 'http'): string;
  /** A client of the SDK of a node. */
  client(node: number, options?: ConnectOptions): Promise<Client>;
  close(): Promise<void>;
}

/** Starts so many nodes and waits until they know one another. */
export async function fakeCluster(count: number, options: BrokerOptions = {}): Promise<FakeCluster> {
  const shared = await new SharedStore().open(0);
  const brokers: RunningBroker[] = [];
  const clients: Client[] = [];

  async function start(more: BrokerOptions = {}): Promise<RunningBroker> {
    const member: FakeMember = shared.add();
    const own = { listen: ['tcp://127.0.0.1:0'], sysIntervalMs: 0, ...options, ...more };
    const broker = await startWithDoors(DOORS, own, member);
    brokers.push(broker);
    return broker;
  }

  const urlOf: FakeCluster['urlOf'] = (node, door) =>
    brokers[node]!.listeners.find((listener) => listener.door === door)!.url;

  async function client(node: number, connectOptions: ConnectOptions = {}): Promise<Client> {
    const opened = await connect(urlOf(node, 'frames'), connectOptions);
    clients.push(opened);
    return opened;
  }

  async function close(): Promise<void> {
    await Promise.all(clients.map((each) => each.close().catch(() => {})));
    await Promise.all(brokers.map((broker) => broker.close()));
  }

  for (let index = 0; index < count; index++) await start();
  await eventually(() => brokers.every((broker) => broker.stats().links === count - 1), 'links of all nodes');
  return { shared, brokers, start, urlOf, client, close, [Symbol.asyncDispose]: close };
}
