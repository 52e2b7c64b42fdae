import { describe, expect, it } from 'vitest';
import { clusterFaults, type Fault } from '../support/cluster-faults.ts';
import {
  type ClusterLoad,
  LOAD_FLAGS,
  longestPauseMs,
  PARTITIONS,
  startLoad,
} from '../support/cluster-load.ts';
import { type ClusterProcesses, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { staleWrites } from '../support/shard-epochs.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Brokers and NATS servers are killed and stopped while clients of every protocol write through all nodes. Then everything is
 * read back: nothing that was acknowledged is lost or has moved, what an idempotent producer sent is there once, offsets follow on
 * each other, no commit went back, and nothing of an owner lies behind the marker of the next one.
 */

const program = await natsServer();

/** A NATS server is replaced within 4 to 9 seconds, a broker after 3. */
const STOP_MS = rounds(1) === 1 ? 4_000 : 12_000;

/** What one fault cost. */
interface Cost {
  readonly kind: string;
  readonly acknowledged: number;
  /** How long the shard that took longest acknowledged nothing to any node. */
  readonly shardMs: number;
  /** How long the client that waited longest got no answer, with what it waited for one that had stopped. */
  readonly clientMs: number;
}

describe.runIf('there' in program)('a cluster whose processes are killed', () => {
  it(
    'loses nothing that it acknowledged, and writes nothing twice',
    async () => {
      const natsProgram = 'there' in program ? program.there : '';
      await using cluster = await startClusterProcesses(natsProgram, { flags: LOAD_FLAGS });
      const load = await startLoad(cluster.nodes);
      const faults = clusterFaults(STOP_MS);
      const count = rounds(4, 10);
      const costs: Cost[] = [];
      for (let index = 0; index < count; index++) {
        const cost = await costOf(faults[index % faults.length]!, index, cluster, load);
        costs.push(cost);
        if (count > 4) console.info(lineOf(cost));
      }
      const problems = await load.problems(cluster.nodes[count % 3]!);
      problems.push(...(await staleWrites(cluster.nats.urls, PARTITIONS)));
      if (count > 4) console.info(tableOf(costs, load));
      expect(problems).toEqual([]);
    },
    torturePatienceMs(240_000),
  );
});

async function costOf(
  fault: Fault,
  index: number,
  cluster: ClusterProcesses,
  load: ClusterLoad,
): Promise<Cost> {
  const { kind, stopsAll } = fault;
  const name = `${kind}, fault ${index}`;
  const before = load.acknowledged;
  let sinceMs = performance.now();
  const mend = await fault.befall(cluster, index);
  if (stopsAll) {
    await mend();
    // What nobody can write before that is no pause of the cluster.
    sinceMs = performance.now();
  }
  await load.untilServed(3, name);
  if (!stopsAll) await mend();
  await load.untilAnswered(3, name);
  return {
    ...{ kind, acknowledged: load.acknowledged - before },
    shardMs: Math.max(...load.shardPausesMs(sinceMs)),
    clientMs: Math.max(...load.moving.map((writer) => longestPauseMs([writer], sinceMs))),
  };
}

function lineOf({ kind, acknowledged, shardMs, clientMs }: Cost): string {
  return `${kind}: ${acknowledged} acknowledged, shard ${seconds(shardMs)}, client ${seconds(clientMs)}`;
}

/** Says what was done, in long runs. */
function tableOf(costs: readonly Cost[], load: ClusterLoad): string {
  const lines = [...new Set(costs.map(({ kind }) => kind))].map((kind) => {
    const each = costs.filter((cost) => cost.kind === kind);
    const acknowledged = each.reduce((sum, cost) => sum + cost.acknowledged, 0);
    const shards = figures(each.map(({ shardMs }) => shardMs));
    const clients = figures(each.map(({ clientMs }) => clientMs));
    return `| ${kind} | ${each.length} | ${acknowledged} | ${shards} | ${clients} |`;
  });
  return [`${load.acknowledged} acknowledged, ${costs.length} faults`, HEAD, ...lines].join('\n');
}

const HEAD =
  '| fault | times | acknowledged | pause of a shard: p50, p99, longest | of a client: p50, p99, longest |';

function figures(pausesMs: readonly number[]): string {
  const sorted = pausesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  return [at(0.5), at(0.99), at(1)].map(seconds).join(', ');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
