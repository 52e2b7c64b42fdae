import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, startBrokerProcess } from './broker-process.ts';
import { type NatsOptions, type NatsServers, startNats } from './nats-servers.ts';

/** Brokers in processes of their own that are one cluster, on NATS servers of theirs. */
export interface ClusterProcesses extends AsyncDisposable {
  readonly nats: NatsServers;
  /** Those that were started, also if they have ended since. */
  readonly brokers: BrokerProcess[];
  /** Starts one more. */
  start(...flags: string[]): Promise<BrokerProcess>;
  close(): Promise<void>;
}

/** Every door on a free port. */
const DOORS = ['-address', '-kafka', '-grpc', '-http'].flatMap((door) => [door, '127.0.0.1:0']);

/** @param program the path of nats-server. */
export async function startCluster(
  program: string,
  count: number,
  flags: readonly string[] = [],
  options: NatsOptions = {},
): Promise<ClusterProcesses> {
  const nats = await startNats(program, options);
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-nodes-'));
  const brokers: BrokerProcess[] = [];
  const start = async (...more: string[]) => {
    const data = ['-data-dir', join(folder, String(brokers.length + 1))];
    const own = ['-cluster', nats.urls.join(','), ...data, ...DOORS, ...flags, ...more];
    const broker = await startBrokerProcess(own);
    brokers.push(broker);
    return broker;
  };
  const close = async () => {
    await Promise.all(brokers.map((broker) => broker.stop('SIGKILL')));
    await nats.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < count; index++) await start();
  } catch (error) {
    await close();
    throw error;
  }
  return { nats, brokers, start, close, [Symbol.asyncDispose]: close };
}

/** Where the clients of a door reach a broker. */
export function addressOf(
  broker: BrokerProcess,
  door: 'frames' | 'kafka' | 'grpc' | 'http',
): { host: string; port: number } {
  const said = JSON.parse(broker.stdout()) as { listeners: string[] } & Record<string, string[]>;
  const [url] = door === 'frames' ? said.listeners : said[door]!;
  const { hostname, port } = new URL(url!.replace(/^\w+:/, 'http:'));
  return { host: hostname, port: Number(port) };
}
