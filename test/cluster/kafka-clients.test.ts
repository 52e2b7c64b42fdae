import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaClient } from '../../internal/clients/kafka/client.ts';
import { findCoordinator } from '../../internal/protocol/kafka/apis/10-find-coordinator.ts';
import { adminCases } from '../interop/support/admin-cases.ts';
import type { ClientProgram } from '../interop/support/client-program.ts';
import { goClients, javaClients, nodeClients, pythonClients } from '../interop/support/clients.ts';
import { GroupInCluster } from '../interop/support/group-in-cluster.ts';
import { recordCases } from '../interop/support/record-cases.ts';
import { go, java, node, python } from '../interop/support/toolchains.ts';
import { unique } from '../interop/support/trial.ts';
import { clusterFaults, FAULT_TOPIC } from '../support/cluster-faults.ts';
import { makeTopic } from '../support/cluster-writers.ts';
import { eventually } from '../support/eventually.ts';
import { type ClusterNode, type ClusterProcesses, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Kafka's own clients, as they are, on three nodes of which one is killed. In `make test` two of them, which need no JVM and are
 * soon ready; with TORTURE all, with everything that they are tried with on a broker of its own.
 */

const program = await natsServer();
const isLong = rounds(1) > 1;
/** By their names: a part of `make test` is short. */
const IN_SHORT = ['confluent-kafka 2.16', 'franz-go 1.20'];

/** Those that number what they produce, and give up for good where they are told that a number is wrong. */
const NUMBERING = ['confluent-kafka 2.16', 'kafka-clients 4.3'];
/** After which a leader that another one has replaced goes on as if nothing had been. */
const STILL = ['SIGSTOP of a NATS leader', 'SIGSTOP of a broker'];
const STOPS = rounds(2, 20);
const STOP_MS = isLong ? 12_000 : 4_000;
const PACE_MS = 20;

const families = [
  [await python(), pythonClients],
  [await go(), goClients],
  ...(isLong
    ? ([
        [await java(), javaClients],
        [await node(), nodeClients],
      ] as const)
    : []),
] as const;
const missing = families.flatMap(([toolchain]) => ('missing' in toolchain ? [toolchain.missing] : []));
const everyone: ClientProgram[] = families.flatMap(([toolchain, clients]) =>
  'there' in toolchain ? (clients as (there: unknown) => ClientProgram[])(toolchain.there) : [],
);
const tried = isLong ? everyone : everyone.filter(({ name }) => IN_SHORT.includes(name));

const addressOf = (node: ClusterNode) => `127.0.0.1:${node.ports.kafka}`;

describe.runIf('there' in program)('Kafka clients on three nodes', { timeout: 240_000 }, () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    cluster = await startClusterProcesses('there' in program ? program.there : '');
  }, 240_000);
  afterAll(() => cluster?.[Symbol.asyncDispose](), 240_000);

  for (const reason of missing) it(reason, ({ skip }) => skip());

  /** Those that go on together: in the long form one client at a time is enough work for a machine. */
  const parties = isLong ? tried.map((client) => [client]) : [tried];
  for (const clients of parties.filter(({ length }) => length > 0)) {
    const names = clients.map(({ name }) => name).join(' and ');
    it(
      `go on with their group when the node is killed that coordinates it: ${names}`,
      async () => {
        const { nodes } = cluster;
        // A node that has come back takes its part of the shards: members of platformatic-kafka end if leaders change while they begin.
        await untilAllLead(nodes);
        const victim = await coordinatorOf(nodes);
        const survivor = nodes.find((node) => node !== victim)!;
        const all = nodes.map(addressOf).join(',');
        const groups = clients.map((client) => new GroupInCluster(client, [all, addressOf(victim)]));
        await using ended = new AsyncDisposableStack();
        for (const group of groups) ended.use(group);
        await Promise.all(groups.map((group) => group.begin()));
        await victim.kill();
        try {
          const killedMs = performance.now();
          await Promise.all(groups.map((group) => goOn(group, killedMs)));
        } finally {
          await victim.start();
        }
        for (const group of groups) {
          group.expectAllOnceOrTwice();
          await group.expectCommitted(addressOf(survivor));
          await group.expectStored(clients[0]!, addressOf(victim));
        }
      },
      torturePatienceMs(240_000),
    );
  }

  const numbering = tried.filter(({ name }) => NUMBERING.includes(name));
  it.runIf(numbering.length > 0)(
    `hear of no wrong sequence and no wrong offset where leaders stand still: ${numbering.map(({ name }) => name).join(' and ')}`,
    async () => {
      const { nodes } = cluster;
      await makeTopic(nodes[0]!, FAULT_TOPIC.name, FAULT_TOPIC.partitions);
      const all = nodes.map(addressOf).join(',');
      const groups = numbering.map((client) => new GroupInCluster(client, [all, addressOf(nodes[0]!)]));
      await using ended = new AsyncDisposableStack();
      for (const group of groups) ended.use(group);
      await Promise.all(groups.map((group) => group.begin()));
      const faults = clusterFaults(STOP_MS).filter(({ kind }) => STILL.includes(kind));
      for (let index = 0; index < STOPS; index++) {
        const fault = faults[index % faults.length]!;
        let isOver = false;
        const sending = Promise.all(groups.map((group) => group.sendUntil(() => isOver, PACE_MS)));
        const beganMs = performance.now();
        // Nobody may lead the partition that it is for, as the one before has just ended.
        const mend = await eventually(() => fault.befall(cluster, index).catch(() => undefined), fault.kind);
        await mend();
        isOver = true;
        await sending;
        await Promise.all(groups.map((group) => group.sendAndReceive()));
        const tookMs = Math.round(performance.now() - beganMs);
        if (isLong)
          console.info(`stop ${index + 1} of ${STOPS}, ${fault.kind}: all received after ${tookMs} ms`);
      }
      for (const group of groups) {
        // Where an offset counts as out of range, its reader begins anew.
        group.expectAllOnceOrTwice();
        await group.expectCommitted(addressOf(nodes[1]!));
        await group.expectStored(group.client, addressOf(nodes[2]!));
      }
    },
    240_000 + STOPS * 60_000,
  );

  async function goOn(group: GroupInCluster, killedMs: number): Promise<void> {
    await group.send(1);
    const acknowledgedMs = Math.round(performance.now() - killedMs);
    await group.sendAndReceive();
    const receivedMs = Math.round(performance.now() - killedMs);
    if (isLong)
      console.info(`${group.client.name}: acknowledged ${acknowledgedMs} ms, received ${receivedMs} ms`);
    await group.send(20);
    await group.sendAndReceive();
  }

  describe.each(isLong ? tried : tried.slice(-1))('$name, at any node', { concurrent: true }, (client) => {
    let asked = 0;
    const trial = () => {
      const bootstrap = addressOf(cluster.nodes[asked++ % cluster.nodes.length]!);
      return { client, peer: { bootstrap }, unique };
    };
    adminCases(client, trial);
    if (isLong) recordCases(client, trial);
  });
});

/** Waits until each node owns its part of the shards. */
async function untilAllLead(nodes: readonly ClusterNode[]): Promise<void> {
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${nodes[0]!.ports.http}/nodes`);
    const seen = (await answer.json()) as { shards?: number }[];
    const owned = seen.map(({ shards = 0 }) => shards);
    return seen.length === nodes.length && Math.max(...owned) - Math.min(...owned) <= 1;
  }, 'a part of the shards for each node');
}

async function coordinatorOf(nodes: readonly ClusterNode[]): Promise<ClusterNode> {
  const stop = new AbortController();
  const client = await KafkaClient.connect(
    nodes.map(({ ports }) => ({ host: '127.0.0.1', port: ports.kafka })),
    {
      ...{ clientId: 'test', softwareVersion: '0', tls: undefined, stop: stop.signal },
      ...{ connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
    },
  );
  try {
    return await eventually(async () => {
      const { coordinators } = await client.send(findCoordinator, {
        ...{ key: 'g', keyType: 0, coordinatorKeys: ['g'] },
      });
      const [found] = coordinators;
      expect(found?.host === '' || found?.host === '127.0.0.1').toBe(true);
      return nodes.find(({ ports }) => ports.kafka === found?.port);
    }, 'a coordinator');
  } finally {
    stop.abort();
  }
}
