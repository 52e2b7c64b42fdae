import { describe, expect, it } from 'vitest';
import { whileWaiting } from '../support/cluster-diagnosis.ts';
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
import { rounds } from '../support/torture.ts';

/*
 * Brokers and NATS servers are killed and stopped while clients of every protocol write through all nodes. Then everything is
 * read back: nothing that was acknowledged is lost or has moved, what an idempotent producer sent is there once, offsets follow on
 * each other, no commit went back, and nothing of an owner lies behind the marker of the next one.
 */

const program = await natsServer();

const FAULTS = rounds(4, 10);
const isLong = rounds(1) > 1;

/** A NATS server is replaced within 4 to 9 seconds, a broker after 3. */
const STOP_MS = isLong ? 12_000 : 4_000;
/** For one fault: most take 10 to 30 seconds, and one may take minutes while other work goes on. */
const FAULT_PATIENCE_MS = 120_000;
/** For the start of all processes, and to read everything back. */
const REST_PATIENCE_MS = 600_000;
/** After how long a fault is told of that is not over. */
const TOLD_EVERY_MS = 40_000;

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
      const costs: Cost[] = [];
      const beganMs = performance.now();
      for (let index = 0; index < FAULTS; index++) {
        const fault = faults[index % faults.length]!;
        const cost = await whileWaiting(
          costOf(fault, index, cluster, load),
          (waitedMs, state) => {
            if (isLong) console.info(`${fault.kind} for ${seconds(waitedMs)} now: ${state}`);
          },
          { cluster, topic: 'kafka', everyMs: TOLD_EVERY_MS },
        );
        costs.push(cost);
        const sinceMs = performance.now() - beganMs;
        if (isLong) console.info(`fault ${index + 1} of ${FAULTS}, ${seconds(sinceMs)}: ${lineOf(cost)}`);
      }
      if (isLong) console.info(tableOf(costs, load));
      const problems = await load.problems(cluster.nodes[FAULTS % 3]!);
      problems.push(...(await staleWrites(cluster.nats.urls, PARTITIONS)));
      if (isLong) console.info(`read back: ${problems.length} problems`);
      expect(problems).toEqual([]);
    },
    FAULTS * FAULT_PATIENCE_MS + REST_PATIENCE_MS,
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
