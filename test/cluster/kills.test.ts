import { describe, expect, it } from 'vitest';
import { LOAD_FLAGS, PARTITIONS, startLoad } from '../support/cluster-load.ts';
import type { ClusterWriter } from '../support/cluster-writers.ts';
import { type ClusterProcesses, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { staleWrites } from '../support/shard-epochs.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Brokers and NATS servers are killed and paused while clients of every protocol write through all nodes. Then everything is
 * read back: nothing that was acknowledged is lost or has moved, what an idempotent producer sent is there once, offsets follow on
 * each other, no commit went back, and nothing of an owner lies behind the marker of the next one.
 */

const program = await natsServer();

const PAUSED_MS = rounds(1) === 1 ? 4_000 : 12_000;

type Fault = (cluster: ClusterProcesses, index: number) => Promise<() => Promise<void>>;

/** Each breaks something and resolves with what mends it. */
const FAULTS: Record<string, Fault> = {
  'kill -9 of a broker': async ({ nodes }, index) => killed([nodes[index % 3]!]),
  'kill -9 of a NATS server': async ({ nats }, index) => killed([nats.servers[index % 3]!]),
  'SIGSTOP of a broker': async ({ nodes }, index) => paused(nodes[index % 3]!),
  'kill -9 of a broker and a NATS server': async ({ nodes, nats }, index) =>
    killed([nats.servers[(index >> 1) % 3]!, nodes[index % 3]!]),
  'SIGSTOP of a NATS server': async ({ nats }, index) => paused(nats.servers[index % 3]!),
  'kill -9 of two NATS servers': async ({ nats }, index) =>
    killed([nats.servers[index % 3]!, nats.servers[(index + 1) % 3]!]),
  'kill -9 of everything': async ({ nodes, nats }) => killed([...nats.servers, ...nodes]),
};

interface Mortal {
  kill(): Promise<void>;
  start(): Promise<void> | void;
}

async function killed(those: readonly Mortal[]): Promise<() => Promise<void>> {
  await Promise.all(those.map((one) => one.kill()));
  return async () => {
    // The servers before the brokers that ask them.
    for (const one of those) await one.start();
  };
}

async function paused(one: { pause(): void; resume(): void }): Promise<() => Promise<void>> {
  one.pause();
  return async () => one.resume();
}

/** The longest time between two answers to a writer since a moment. */
function longestPauseMs(writers: readonly ClusterWriter[], sinceMs: number): number {
  let longest = 0;
  for (const { answeredAtMs } of writers) {
    for (let at = answeredAtMs.length - 1; at > 0 && answeredAtMs[at]! >= sinceMs; at--) {
      longest = Math.max(longest, answeredAtMs[at]! - answeredAtMs[at - 1]!);
    }
  }
  return longest;
}

describe.runIf('there' in program)('a cluster whose processes are killed', () => {
  it(
    'loses nothing that it acknowledged, and writes nothing twice',
    async () => {
      const natsProgram = 'there' in program ? program.there : '';
      await using cluster = await startClusterProcesses(natsProgram, { flags: LOAD_FLAGS });
      const load = await startLoad(cluster.nodes);
      const { all } = load;
      const pauses: Record<string, number[]> = {};
      const kinds = Object.entries(FAULTS);
      const count = rounds(4, 10);
      for (let index = 0; index < count; index++) {
        const [kind, fault] = kinds[index % kinds.length]!;
        const startMs = performance.now();
        const mend = await fault(cluster, index);
        await new Promise((resolve) => setTimeout(resolve, kind.startsWith('SIGSTOP') ? PAUSED_MS : 0));
        // Without a majority, or without brokers, nothing goes on before they are back.
        const needsMending = /two|everything/.test(kind);
        if (needsMending) await mend();
        await load.untilAnswered(3, `${kind}, fault ${index}`);
        if (!needsMending) await mend();
        pauses[kind] = [...(pauses[kind] ?? []), longestPauseMs(all, startMs)];
        await load.untilAnswered(3, `${kind}, fault ${index}`);
      }
      const problems = await load.problems(cluster.nodes[count % 3]!);
      problems.push(...(await staleWrites(cluster.nats.urls, PARTITIONS)));
      report(all, pauses);
      expect(problems).toEqual([]);
    },
    torturePatienceMs(240_000),
  );
});

/** Says what was done, in long runs. */
function report(writers: readonly ClusterWriter[], pauses: Record<string, number[]>): void {
  if (rounds(1) === 1) return;
  const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
  const lines = Object.entries(pauses).map(([kind, each]) => {
    const seconds = each.map((ms) => (ms / 1_000).toFixed(1)).sort((a, b) => Number(a) - Number(b));
    return `${kind}, ${each.length} times: longest pauses ${seconds.join(' ')} s`;
  });
  console.info([`${acknowledged} records acknowledged`, ...lines].join('\n'));
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
