import { describe, expect, it } from 'vitest';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import {
  type ClusterWriter,
  Committer,
  KafkaWriter,
  leaderUrl,
  MqttWriter,
  SmqWriter,
  toCoordinator,
} from '../support/cluster-writers.ts';
import { eventually } from '../support/eventually.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { recordsOf } from '../support/lasting-producer.ts';
import { type ClusterNode, type ClusterProcesses, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { staleWrites } from '../support/shard-epochs.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Brokers and NATS servers are killed and paused while clients of every protocol write through all nodes. Then everything is
 * read back: nothing that was acknowledged is lost or has moved, what an idempotent producer sent is there once, offsets follow on
 * each other, no commit went back, and nothing of an owner lies behind the marker of the next one.
 */

const program = await natsServer();

/** As many partitions as there are shards: each has one. */
const PARTITIONS = 8;
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

async function makeTopics(node: ClusterNode): Promise<void> {
  await eventually(async () => {
    const wire = await KafkaWire.open(node.urlOf('kafka'));
    const topics = [
      { name: 'kafka', numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] },
      ...[0, 1, 2].map((index) => ({
        ...{ name: `smq.${index}`, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      })),
    ];
    const answer = await wire.ask(createTopics, 5, { topics, timeoutMs: 10_000, validateOnly: false });
    wire.close();
    return answer.topics.every(({ errorCode }) => errorCode === 0 || errorCode === TOPIC_EXISTS);
  }, 'the topics');
}

const TOPIC_EXISTS = 36;

function writersFor({ nodes }: ClusterProcesses) {
  const kafka = Array.from({ length: PARTITIONS }, (_, index) => new KafkaWriter(nodes, 'kafka', index));
  const smq = nodes.map((_, index) => new SmqWriter(nodes, `smq.${index}`, index));
  const mqtt = nodes.map((_, index) => new MqttWriter(nodes, `kept/${index}`, index));
  const committer = new Committer(nodes, 'kafka', 'group');
  return { kafka, smq, mqtt, committer, all: [...kafka, ...smq, ...mqtt, committer] as ClusterWriter[] };
}

/** Waits until every writer got so many answers more. */
async function untilAnswered(writers: readonly ClusterWriter[], count: number, after: string): Promise<void> {
  const before = writers.map(({ answeredAtMs }) => answeredAtMs.length);
  const lacking = () =>
    writers.filter(({ answeredAtMs }, index) => answeredAtMs.length < before[index]! + count);
  await eventually(() => lacking().length === 0, `answers for all after ${after}`).catch((error: Error) => {
    const problems = lacking().map(
      (writer) => `${writer.constructor.name} of ${writer.topic}: ${writer.lastProblem}`,
    );
    throw new Error([error.message, ...problems].join('\n'));
  });
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

/** What is wrong with the records of a log. */
async function problemsOf(
  node: ClusterNode,
  log: string,
  partition: number,
  writers: readonly ClusterWriter[],
) {
  const found = await eventually(
    () =>
      leaderUrl(node, log, partition)
        .then((url) => recordsOf(url, log, partition))
        .catch(() => undefined),
    `the records of ${log}`,
  );
  const problems: string[] = [];
  const offsets = new Map<string, number>();
  for (const [index, [offset, text]] of found.entries()) {
    if (offset !== index) problems.push(`offset ${offset} in place ${index}`);
    if (offsets.has(text)) problems.push(`'${text}' is there twice`);
    offsets.set(text, offset);
  }
  for (const writer of writers) {
    for (const acknowledged of writer.acknowledged) {
      if (acknowledged.partition !== partition) continue;
      const { text, offset } = acknowledged;
      const there = offsets.get(text);
      if (there === undefined) problems.push(`'${text}' is lost`);
      else if (offset !== undefined && there !== offset)
        problems.push(`'${text}' is at ${there}, not ${offset}`);
    }
  }
  return problems;
}

async function committedOffset(node: ClusterNode): Promise<number> {
  return eventually(async () => {
    const wire = await toCoordinator(node, 'group');
    const asked = [{ name: 'kafka', partitionIndexes: [0] }];
    const { topics } = await wire.ask(offsetFetch, 5, { groupId: 'group', topics: asked });
    wire.close();
    const { errorCode, committedOffset: offset } = topics[0]!.partitions[0]!;
    return errorCode === 0 ? Number(offset) : undefined;
  }, 'the committed offset');
}

describe.runIf('there' in program)('a cluster whose processes are killed', () => {
  it(
    'loses nothing that it acknowledged, and writes nothing twice',
    async () => {
      const natsProgram = 'there' in program ? program.there : '';
      await using cluster = await startClusterProcesses(natsProgram, { flags: ['-keep', 'kept/#'] });
      await makeTopics(cluster.nodes[0]!);
      const { kafka, smq, mqtt, committer, all } = writersFor(cluster);
      for (const writer of all) writer.start();
      await untilAnswered(all, 3, 'the start');
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
        await untilAnswered(all, 3, `${kind}, fault ${index}`);
        if (!needsMending) await mend();
        pauses[kind] = [...(pauses[kind] ?? []), longestPauseMs(all, startMs)];
        await untilAnswered(all, 3, `${kind}, fault ${index}`);
      }
      for (const writer of all) await writer.stop();
      const problems = all.flatMap(({ refusals }) => refusals);
      const reader = cluster.nodes[count % 3]!;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        problems.push(...(await problemsOf(reader, 'kafka', partition, kafka)));
      }
      for (const writer of smq) problems.push(...(await problemsOf(reader, writer.topic, 0, [writer])));
      for (const [index, writer] of mqtt.entries()) {
        problems.push(...(await problemsOf(reader, `kept.${index}`, 0, [writer])));
      }
      if ((await committedOffset(reader)) < committer.committed) problems.push('a commit is lost');
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
