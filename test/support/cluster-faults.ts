import { setTimeout as pause } from 'node:timers/promises';
import { leaderUrl } from './cluster-writers.ts';
import type { ClusterNode, ClusterProcesses } from './mortal-cluster.ts';
import type { NatsServer } from './nats-servers.ts';

/** Something that befalls processes of a cluster. */
export interface Fault {
  readonly kind: string;
  /** Whether nothing can be written before it is mended: a majority of the NATS servers, or all brokers, are away. */
  readonly stopsAll: boolean;
  /** @param index of the fault in its run: each befalls others. */
  befall(cluster: ClusterProcesses, index: number): Promise<Mend>;
}

/** Starts or resumes what a fault befell. */
export type Mend = () => Promise<void>;

/** What may be killed and stopped. */
type Mortal = ClusterNode | NatsServer;

interface Victims {
  readonly name: string;
  readonly stopsAll: boolean;
  choose(cluster: ClusterProcesses, index: number): Promise<Mortal[]>;
}

/** NATS servers before brokers, in the order in which they are started again. */
const VICTIMS: readonly Victims[] = [
  { name: 'a broker', stopsAll: false, choose: async (cluster, index) => [await owner(cluster, index)] },
  {
    name: 'a NATS leader',
    stopsAll: false,
    choose: async ({ nats }, index) => [await leader(nats.servers, index)],
  },
  {
    name: 'a broker and a NATS leader',
    stopsAll: false,
    choose: async (cluster, index) => [
      await leader(cluster.nats.servers, index),
      await owner(cluster, index),
    ],
  },
  {
    name: 'two NATS servers',
    stopsAll: true,
    choose: async ({ nats }, index) => [nats.servers[index % 3]!, nats.servers[(index + 1) % 3]!],
  },
  { name: 'everything', stopsAll: true, choose: async ({ nats, nodes }) => [...nats.servers, ...nodes] },
];

/** All kinds, those that are killed and those that stop in turn. @param stopMs how long one stops. */
export function clusterFaults(stopMs: number): Fault[] {
  return VICTIMS.flatMap(({ name, stopsAll, choose }) => [
    {
      ...{ kind: `kill -9 of ${name}`, stopsAll },
      befall: async (cluster, index) => killed(await choose(cluster, index)),
    },
    {
      ...{ kind: `SIGSTOP of ${name}`, stopsAll },
      befall: async (cluster, index) => stopped(await choose(cluster, index), stopMs),
    },
  ]);
}

async function killed(those: readonly Mortal[]): Promise<Mend> {
  await Promise.all(those.map((one) => one.kill()));
  return async () => {
    for (const one of those) await one.start();
  };
}

async function stopped(those: readonly Mortal[], stopMs: number): Promise<Mend> {
  for (const one of those) one.pause();
  await pause(stopMs);
  return async () => {
    for (const one of those) one.resume();
  };
}

/** By whose partitions the owners of shards are found: whoever wants a broker stopped or killed makes it first. */
export const FAULT_TOPIC = { name: 'kafka', partitions: 8 };

/** A broker that owns a shard. */
async function owner({ nodes }: ClusterProcesses, index: number): Promise<ClusterNode> {
  const { name, partitions } = FAULT_TOPIC;
  const url = await leaderUrl(nodes[index % nodes.length]!, name, index % partitions);
  return nodes.find((node) => node.urlOf('kafka') === url)!;
}

interface StreamsPage {
  account_details?: { stream_detail?: { name: string; cluster?: { leader?: string } }[] }[];
}

/** A server that leads the stream of a shard. */
async function leader(servers: readonly NatsServer[], index: number): Promise<NatsServer> {
  const asked = servers[index % servers.length]!;
  const answer = await fetch(`${asked.monitorUrl}/jsz?accounts=true&streams=true`);
  const { account_details: accounts = [] } = (await answer.json()) as StreamsPage;
  const streams = accounts.flatMap(({ stream_detail = [] }) => stream_detail);
  const stream = streams.find(({ name }) => name.endsWith(`-L${index % 8}`));
  return servers.find(({ name }) => name === stream?.cluster?.leader) ?? asked;
}
