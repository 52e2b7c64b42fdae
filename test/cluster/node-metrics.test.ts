import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BrokerProcess } from '../support/broker-process.ts';
import { addressOf, type ClusterProcesses, startCluster } from '../support/cluster-processes.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * What an operator is to see of a cluster: who writes the logs, how long nobody did, whether a node hears of all that is written, and
 * whether it has NATS.
 */

const program = await natsServer();

describe.runIf('there' in program)('the metrics of a node', { timeout: 180_000 }, () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    const flags = ['-cluster-fsync', 'os'];
    const nats = { servers: 1, isSynced: false };
    cluster = await startCluster('there' in program ? program.there : '', 1, flags, nats);
  });
  afterAll(() => cluster?.close());

  /** By its name, with its labels. */
  async function metricsOf(broker: BrokerProcess): Promise<Map<string, number>> {
    const { host, port } = addressOf(broker, 'http');
    const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('tinymq_'));
    return new Map(
      lines
        .map((line) => line.slice('tinymq_'.length).split(' ') as [string, string])
        .map(([name, value]) => [name, Number(value)]),
    );
  }

  it('tell who writes the logs, and since when somebody does', async () => {
    const [first] = cluster.brokers as [BrokerProcess];
    const owning = await eventually(async () => {
      const metrics = await metricsOf(first);
      const isOwning = metrics.get('shards_owned') === 8 && metrics.get('nats_connected') === 1;
      return isOwning ? metrics : undefined;
    }, 'all shards');
    expect(owning.get('shards_ownerless')).toBe(0);
    expect(owning.get('shard_claim_seconds_count')).toBe(8);
    expect(owning.get('shard_messages_behind{shard="7"}')).toBe(0);
    const second = await cluster.start();
    await first.stop('SIGKILL');
    const taken = await eventually(async () => {
      const metrics = await metricsOf(second);
      return metrics.get('shards_owned') === 8 ? metrics : undefined;
    }, 'the shards of the one that ended');
    expect(taken.get('shard_claim_seconds_count')).toBe(8);
    expect(taken.get('shard_claim_seconds_sum')).toBeGreaterThan(0);
  });

  it('tell that a node has no NATS, and that nobody writes the logs then', async () => {
    const node = cluster.brokers.at(-1)!;
    expect((await metricsOf(node)).get('nats_connected')).toBe(1);
    const [server] = cluster.nats.servers;
    server!.pause();
    try {
      const away = await eventually(async () => {
        const metrics = await metricsOf(node);
        return metrics.get('nats_connected') === 0 ? metrics : undefined;
      }, 'a node that is cut off');
      expect(away.get('shards_ownerless')).toBe(8);
      expect(away.get('shards_owned')).toBe(8);
    } finally {
      server!.resume();
    }
    await eventually(async () => {
      const metrics = await metricsOf(node);
      return metrics.get('nats_connected') === 1 && metrics.get('shards_ownerless') === 0;
    }, 'a node that hears itself again');
    expect((await metricsOf(node)).get('nats_cut_offs_total')).toBeGreaterThan(0);
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
