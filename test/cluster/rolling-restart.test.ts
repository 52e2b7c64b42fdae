import { describe, expect, it } from 'vitest';
import { KafkaClient } from '../../internal/clients/kafka/client.ts';
import { describeCluster } from '../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import { LOAD_FLAGS, PARTITIONS, startLoad } from '../support/cluster-load.ts';
import { type ClusterNode, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { staleWrites } from '../support/shard-epochs.ts';

/*
 * An upgrade as docs/cluster.md describes it: each broker is stopped and started again, then each NATS server, while clients of
 * every protocol write through all nodes. Clients that try again notice nothing: no answer tells them to give up, and everything
 * that was acknowledged is there, once and in its place.
 */

const program = await natsServer();

/** How long a server that is about to stop keeps its clients: as short as it lets itself be told. */
const LAME_DUCK = 'lame_duck_grace_period: "1s"\nlame_duck_duration: "30s"';

describe.runIf('there' in program)('a cluster that is restarted piece by piece', () => {
  it('loses nothing, and refuses nothing for good', async () => {
    const natsProgram = 'there' in program ? program.there : '';
    await using cluster = await startClusterProcesses(natsProgram, {
      flags: LOAD_FLAGS,
      nats: { more: LAME_DUCK },
    });
    const load = await startLoad(cluster.nodes);
    const idsBefore = await brokerIds(cluster.nodes[0]!);
    for (const [index, node] of cluster.nodes.entries()) {
      const { code, stderr } = await node.stop();
      expect(code, stderr).toBe(0);
      await load.untilServed(2, `the end of broker ${index}`);
      await node.start();
      await load.untilAnswered(2, `the new start of broker ${index}`);
    }
    expect(idsBefore.size).toBe(cluster.nodes.length);
    await expect.poll(() => brokerIds(cluster.nodes[0]!), { timeout: 30_000 }).toEqual(idsBefore);
    for (const [index, server] of cluster.nats.servers.entries()) {
      await server.end('SIGUSR2');
      await load.untilAnswered(2, `the end of NATS server ${index}`);
      server.start();
      await server.untilReady();
      await load.untilAnswered(2, `the new start of NATS server ${index}`);
    }
    const problems = await load.problems(cluster.nodes[0]!);
    problems.push(...(await staleWrites(cluster.nats.urls, PARTITIONS)));
    expect(problems).toEqual([]);
  }, 240_000);
});

/** By their ports, the ids by which Kafka's clients know the brokers: some of them ask for ever for one that they remember. */
async function brokerIds({ ports }: ClusterNode): Promise<Map<number, number>> {
  const stop = new AbortController();
  const client = await KafkaClient.connect([{ host: '127.0.0.1', port: ports.kafka }], {
    ...{ clientId: 'test', softwareVersion: '0', tls: undefined, stop: stop.signal },
    ...{ connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
  });
  try {
    const { brokers } = await client.send(describeCluster, { includeClusterAuthorizedOperations: false });
    return new Map(brokers.map(({ port, brokerId }) => [port, brokerId]));
  } finally {
    stop.abort();
  }
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
