import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import {
  type ClusterWriter,
  Committer,
  KafkaWriter,
  leaderUrl,
  MqttWriter,
  SmqWriter,
  toCoordinator,
} from './cluster-writers.ts';
import { eventually } from './eventually.ts';
import { KafkaWire } from './kafka-wire.ts';
import { recordsOf } from './lasting-producer.ts';
import type { ClusterNode } from './mortal-cluster.ts';

/** As many partitions as there are shards: each has one. */
export const PARTITIONS = 8;
/** What the brokers have to be told. */
export const LOAD_FLAGS = ['-keep', 'kept/#'];

/** Starts writers of every protocol, at all nodes, and waits until each was answered. */
export async function startLoad(nodes: readonly ClusterNode[]): Promise<ClusterLoad> {
  await makeTopics(nodes[0]!);
  const load = new ClusterLoad(nodes);
  await load.untilAnswered(3, 'the start');
  return load;
}

/** Writers of every protocol, and what they know of the logs. */
export class ClusterLoad {
  readonly all: readonly ClusterWriter[];
  readonly #kafka: readonly KafkaWriter[];
  readonly #smq: readonly SmqWriter[];
  readonly #mqtt: readonly MqttWriter[];
  readonly #committer: Committer;

  constructor(nodes: readonly ClusterNode[]) {
    this.#kafka = Array.from({ length: PARTITIONS }, (_, index) => new KafkaWriter(nodes, 'kafka', index));
    this.#smq = nodes.map((_, index) => new SmqWriter(nodes, `smq.${index}`, index));
    this.#mqtt = nodes.map((_, index) => new MqttWriter(nodes, `kept/${index}`, index));
    this.#committer = new Committer(nodes, 'kafka', 'group');
    this.all = [...this.#kafka, ...this.#smq, ...this.#mqtt, this.#committer];
    for (const writer of this.all) writer.start();
  }

  /** Waits until every writer got so many answers more. */
  async untilAnswered(count: number, after: string): Promise<void> {
    const before = this.all.map(({ answeredAtMs }) => answeredAtMs.length);
    const lacking = () =>
      this.all.filter(({ answeredAtMs }, index) => answeredAtMs.length < before[index]! + count);
    await eventually(() => lacking().length === 0, `answers for all after ${after}`).catch((error: Error) => {
      const problems = lacking().map(
        (writer) => `${writer.constructor.name} of ${writer.topic}: ${writer.lastProblem}`,
      );
      throw new Error([error.message, ...problems].join('\n'));
    });
  }

  /** Stops the writers, reads all logs back, and says what is wrong with them, or what a client could not know what to do about. */
  async problems(reader: ClusterNode): Promise<string[]> {
    await Promise.all(this.all.map((writer) => writer.stop()));
    const problems = this.all.flatMap(({ refusals }) => refusals);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      problems.push(...(await problemsOf(reader, 'kafka', partition, this.#kafka)));
    }
    for (const writer of this.#smq) problems.push(...(await problemsOf(reader, writer.topic, 0, [writer])));
    for (const [index, writer] of this.#mqtt.entries()) {
      problems.push(...(await problemsOf(reader, `kept.${index}`, 0, [writer])));
    }
    if ((await committedOffset(reader)) < this.#committer.committed) problems.push('a commit is lost');
    return problems;
  }
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
    return answer.topics.every(
      ({ errorCode }) => errorCode === 0 || errorCode === KafkaErrorCode.topicAlreadyExists,
    );
  }, 'the topics');
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
