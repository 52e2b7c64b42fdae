import { describe, expect, it } from 'vitest';
import { AnswerWatch } from '../support/answer-watch.ts';
import { clusterFaults, FAULT_TOPIC } from '../support/cluster-faults.ts';
import { Committer, KafkaWriter, makeTopic } from '../support/cluster-writers.ts';
import { eventually } from '../support/eventually.ts';
import { startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { rounds } from '../support/torture.ts';

/*
 * A client begins at an end of a log where it is told that its group has committed nothing, that an offset is out of range, or that the
 * log ends before what it has read. kafka-go once read a partition again from its start when a node was killed.
 */

const program = await natsServer();
const { name: TOPIC, partitions: PARTITIONS } = FAULT_TOPIC;
/** Longer than others wait until they take a node for gone. */
const STOP_MS = 5_000;
const KINDS = [
  'SIGSTOP of a broker',
  'kill -9 of a broker',
  'SIGSTOP of a NATS leader',
  'kill -9 of a NATS leader',
];
const FAULTS = rounds(3, 5);

describe.runIf('there' in program)('a cluster whose leaders are killed and stand still', () => {
  it(
    'tells no client of less than was acknowledged',
    async () => {
      await using cluster = await startClusterProcesses('there' in program ? program.there : '');
      const { nodes } = cluster;
      await makeTopic(nodes[0]!, TOPIC, PARTITIONS);
      const habits = { paceMs: 20 };
      const writers = Array.from(
        { length: PARTITIONS },
        (_, index) => new KafkaWriter(nodes, TOPIC, index, habits),
      );
      const committer = new Committer(nodes, TOPIC, 'readers', habits);
      const watch = new AnswerWatch(nodes, { topic: TOPIC, writers, committer });
      const clients = [...writers, committer];
      for (const client of clients) client.start();
      const goOn = async () => {
        const before = clients.map(({ answeredAtMs }) => answeredAtMs.length);
        const hasGoneOn = () =>
          clients.every(({ answeredAtMs }, index) => answeredAtMs.length > before[index]!);
        await eventually(hasGoneOn, 'acknowledgements of all');
      };
      await goOn();
      watch.start();
      for (let index = 0; index < FAULTS; index++) {
        const kind = KINDS[index % KINDS.length]!;
        const fault = clusterFaults(STOP_MS).find((each) => each.kind === kind)!;
        const mend = await eventually(() => fault.befall(cluster, index).catch(() => undefined), kind);
        await mend();
        await goOn();
      }
      await Promise.all([...clients, watch].map((each) => each.stop()));
      expect(clients.flatMap(({ refusals }) => refusals)).toEqual([]);
      expect([...watch.problems]).toEqual([]);
      expect(watch.answers).toBeGreaterThan(100);
    },
    120_000 + FAULTS * 60_000,
  );
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
