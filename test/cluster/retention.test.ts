import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../internal/cluster/open-cluster.ts';
import type { Cluster } from '../../internal/log/cluster.ts';
import type { Logs } from '../../internal/log/logs.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { addressOf, type ClusterProcesses, startCluster } from '../support/cluster-processes.ts';
import { eventually } from '../support/eventually.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { appendTexts, KeptLog, openLogs } from '../support/logs.ts';
import { natsServer } from '../support/nats-servers.ts';
import { StillClock } from '../support/still-clock.ts';

/*
 * Who leads a partition decides what is kept of it, and every node tells the same first offset; so it goes on when the leader is killed. That
 * one is a broker in a process of its own. The logs of the other nodes are in this process, and look for what is too old or too much when
 * the test says so.
 */

const program = await natsServer();
/** Later than the clock of the broker in its own process, for which nothing is too old. */
const NOW_MS = Date.now() + 3_600_000;
/** The timestamp that asks for the first offset. */
const EARLIEST = -2;
const BATCH = 'x'.repeat(1_000);

interface LogsOfNode {
  readonly cluster: Cluster;
  readonly logs: Logs;
}

describe.runIf('there' in program)('retention in a cluster', { timeout: 240_000 }, () => {
  let processes: ClusterProcesses;
  const nodes: LogsOfNode[] = [];
  beforeAll(async () => {
    processes = await startCluster('there' in program ? program.there : '', 1);
  }, 240_000);
  afterAll(async () => {
    for (const { logs, cluster } of nodes) {
      await logs.close();
      await cluster.close();
    }
    await processes?.close();
  });

  async function started(): Promise<LogsOfNode> {
    const cluster = await openCluster({
      ...{ urls: processes.nats.urls, name: 'tinymq', fsync: 'commit', logger: new KeptLog() },
    });
    const shared = {
      retentionMs: 1_000,
      clock: new StillClock(),
      leadership: cluster.nodes,
      elsewhere: cluster,
    };
    const { logs } = await openLogs(shared, cluster.store);
    const partition = (wanted: number) => {
      const partitions = [...logs.topics()].flatMap((topic) => topic.partitions);
      return partitions.find(({ id }) => id === wanted)!;
    };
    cluster.onForwarded({
      append: (id, batch) => partition(id).append(batch),
      deleteUntil: (id, offset) => partition(id).deleteUntil(offset),
    });
    await cluster.begin(undefined);
    const node = { cluster, logs };
    nodes.push(node);
    return node;
  }

  const kept = ({ logs }: LogsOfNode) => logs.topic('kept')?.partitions[0];
  const append = async ({ logs }: LogsOfNode, count: number, timestamp: number) => {
    for (let sent = 0; sent < count; sent++) await appendTexts(logs.topic('kept')!, [BATCH], { timestamp });
  };
  const allTell = (first: number) =>
    eventually(() => nodes.every((node) => kept(node)?.firstOffset === first), `first offset ${first}`);
  /** Has all of them look until they agree; the one that leads may be another one each time. */
  const retained = (nowMs: number, first: number) =>
    eventually(async () => {
      for (const { logs } of nodes) await logs.applyRetention(nowMs);
      return nodes.every((node) => kept(node)?.firstOffset === first);
    }, `first offset ${first}`);

  /** As the broker in its own process tells it to Kafka's clients. */
  async function firstOfBroker(broker: BrokerProcess): Promise<number> {
    const { host, port } = addressOf(broker, 'kafka');
    const wire = await KafkaWire.open(`tcp://${host}:${port}`);
    const topics = [{ name: 'kept', partitions: [{ partitionIndex: 0, timestamp: EARLIEST }] }];
    const answer = await wire.ask(listOffsets, 5, { replicaId: -1, isolationLevel: 0, topics });
    wire.close();
    return answer.topics[0].partitions[0].offset;
  }

  it('is for the leader alone, is told by all nodes, and goes on with the next leader', async () => {
    const [leader] = processes.brokers as [BrokerProcess];
    const other = await started();
    await other.logs.createTopic('kept', 1, {});
    await eventually(() => typeof kept(other)!.leader === 'number', 'a leader');
    await append(other, 6, NOW_MS);
    await eventually(() => kept(other)!.highWatermark === 6, 'all batches');
    await other.logs.applyRetention(NOW_MS + 2_000);
    // After some time it may be the one to lead.
    if (typeof kept(other)!.leader === 'number') expect(kept(other)!.firstOffset).toBe(0);

    await kept(other)!.deleteUntil(2);
    await allTell(2);
    if (typeof kept(other)!.leader === 'number') expect(await firstOfBroker(leader)).toBe(2);
    expect((await kept(other)!.read(2, 1e6))[0]!.baseOffset).toBe(2);

    await leader.stop('SIGKILL');
    await eventually(() => kept(other)!.leader === 'here', 'another leader');
    await other.logs.setConfigs(other.logs.topic('kept')!, { 'retention.bytes': '3500' });
    const late = await started();
    expect(kept(late)!.firstOffset).toBe(2);
    await retained(NOW_MS, 3);
    await append(late, 4, NOW_MS);
    await retained(NOW_MS, 7);
    await retained(NOW_MS + 2_000, 10);
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
