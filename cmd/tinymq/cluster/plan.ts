import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { CLUSTER_NAME } from '../../../internal/cluster/cluster-name.ts';
import { quoted } from '../../../internal/errors.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { split } from '../access/output.ts';
import type { clusterConfigProgram } from './flags.ts';

type ConfigValues = Values<typeof clusterConfigProgram.options>;

/** One machine of the cluster: a NATS server, and a broker beside it. */
export interface PlannedNode {
  readonly name: string;
  readonly host: string;
  /** Where the server listens. */
  readonly ports: { readonly client: number; readonly route: number; readonly monitor: number };
  /** What the broker beside it listens on, on a machine that has all of them. */
  readonly broker: {
    readonly mqtt: number;
    readonly kafka: number;
    readonly grpc: number;
    readonly http: number;
  };
}

/** What all files have in common. */
export interface ClusterPlan {
  readonly clusterName: string;
  readonly nodes: readonly PlannedNode[];
  /** Whether all are on this machine, without containers. */
  readonly isLocal: boolean;
  /** Absolute. */
  readonly folder: string;
  /** Absolute, on the machine of each server. */
  readonly storeFolder: string;
  readonly isTls: boolean;
  readonly image: string;
  readonly advertisedHost: string;
}

/** Names of containers, of files and of hosts can all be like that. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MOST_NODES = 7;

/** @throws UsageError */
export function planOf(values: ConfigValues): ClusterPlan {
  const named = split(values.nodes).map(namedNode);
  checkCount(named.length);
  checkNames(named.map(({ name }) => name));
  if (!CLUSTER_NAME.test(values['cluster-name'])) {
    throw new UsageError(
      `-cluster-name ${quoted(values['cluster-name'])} is letters, digits, '_' and '-', at most 64 of them`,
    );
  }
  const folder = resolve(values.out);
  return {
    clusterName: values['cluster-name'],
    nodes: named.map((node, index) => plannedNode(node, index, values)),
    isLocal: values.local,
    folder,
    storeFolder: resolve(values['store-dir'] ?? `${folder}/data`),
    isTls: values.tls,
    image: values.image,
    advertisedHost: values['advertised-host'],
  };
}

function namedNode(word: string): { name: string; host: string } {
  const [name = '', host = name] = word.split('=', 2);
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (!NAME.test(name)) {
    throw new UsageError(
      `-nodes ${quoted(word)} is NAME or NAME=HOST, with letters, digits, '.', '_' and '-'`,
    );
  }
  if (!NAME.test(bare) && isIP(bare) === 0) {
    throw new UsageError(`-nodes ${quoted(word)} names no host behind the =`);
  }
  return { name, host: bare };
}

function checkCount(count: number): void {
  if (count === 0)
    throw new UsageError('-nodes is missing: the names of one, three or five servers, as in -nodes a,b,c');
  if (count % 2 === 1 && count <= MOST_NODES) return;
  const reason =
    count > MOST_NODES ? 'more make it slower' : 'an even number bears no more failures than one less';
  throw new UsageError(`-nodes has ${count} names, and a cluster has 1, 3, 5 or 7 servers: ${reason}`);
}

/** Each server and each broker is a container, and has files that are called so. */
function checkNames(names: readonly string[]): void {
  const taken = new Set(['ca']);
  for (const name of [...names, ...names.map((each) => brokerNameOf(each))]) {
    if (taken.has(name.toLowerCase()))
      throw new UsageError(`-nodes cannot have ${quoted(name)}: something is called so already`);
    taken.add(name.toLowerCase());
  }
}

/** What the broker beside a server is called. */
export function brokerNameOf(server: string): string {
  return `broker-${server}`;
}

function plannedNode(
  { name, host }: { name: string; host: string },
  index: number,
  values: ConfigValues,
): PlannedNode {
  const step = values.local ? index : 0;
  return {
    name,
    host: values.local ? LOOPBACK : host,
    ports: {
      client: values.port + step,
      route: values['route-port'] + step,
      monitor: values['monitor-port'] + step,
    },
    broker: {
      mqtt: values['mqtt-port'] + index,
      kafka: values['kafka-port'] + index,
      grpc: values['grpc-port'] + index,
      http: values['http-port'] + index,
    },
  };
}

const LOOPBACK = '127.0.0.1';

export function hostPort(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Where brokers find the servers. */
export function serverUrls({ nodes, isTls }: ClusterPlan): string[] {
  return nodes.map(({ host, ports }) => `${isTls ? 'tls' : 'nats'}://${hostPort(host, ports.client)}`);
}

export function monitorUrls({ nodes, isTls }: ClusterPlan): string[] {
  return nodes.map(({ host, ports }) => `${isTls ? 'https' : 'http'}://${hostPort(host, ports.monitor)}`);
}

/** Containers find each other by name: an address of a machine means nothing there. */
export function hasCompose({ isLocal, nodes }: ClusterPlan): boolean {
  return !isLocal && nodes.every(({ host }) => isIP(host) === 0 && host !== 'localhost');
}
