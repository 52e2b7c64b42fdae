import { setTimeout as pause } from 'node:timers/promises';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
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
import { createTopicsAt } from './kafka-wire.ts';
import { recordsOf } from './lasting-producer.ts';
import type { ClusterNode } from './mortal-cluster.ts';

/** As many partitions as there are shards: each has one. */
export const PARTITIONS = 8;
/** What the brokers have to be told. */
export const LOAD_FLAGS = ['-keep', 'kept/#'];

/** Writers of Kafka and MQTT rest for so long between two answers, those of SMQ longer: there are many of them. */
const PACE_MS = 10;
const SMQ_PACE_MS = 50;

/** How long all of them may wait: elections and claims take seconds on a machine that is quiet, and minutes on one that is not. */
const PATIENCE_MS = 200_000;
const POLL_MS = 20;

/** Starts writers of every protocol, at all nodes, and waits until each was answered. */
export async function startLoad(nodes: readonly ClusterNode[]): Promise<ClusterLoad> {
  await makeTopics(nodes[0]!);
  const load = new ClusterLoad(nodes);
  await load.untilAnswered(3, 'the start');
  return load;
}

/**
 * Writers of every protocol, and what they know of the logs. Those of Kafka and MQTT go to another node when one does not answer. For
 * each shard there are writers of SMQ that stay at their nodes: together they see how long the shard takes nothing, whatever
 * one of them waits for.
 */
export class ClusterLoad {
  readonly all: readonly ClusterWriter[];
  /** By shard, a writer at each node. */
  readonly #smq: readonly (readonly SmqWriter[])[];
  readonly #kafka: readonly KafkaWriter[];
  readonly #mqtt: readonly MqttWriter[];
  readonly #committer: Committer;

  constructor(nodes: readonly ClusterNode[]) {
    const habits = { paceMs: PACE_MS };
    const staying = { paceMs: SMQ_PACE_MS, staysAtNode: true };
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    this.#kafka = partitions.map((index) => new KafkaWriter(nodes, 'kafka', index, habits));
    this.#smq = partitions.map((index) =>
      nodes.map((_, node) => new SmqWriter(nodes, `smq.${index}`, node, staying)),
    );
    this.#mqtt = nodes.map((_, index) => new MqttWriter(nodes, `kept/${index}`, index, habits));
    this.#committer = new Committer(nodes, 'kafka', 'group', habits);
    this.all = [...this.#kafka, ...this.#smq.flat(), ...this.#mqtt, this.#committer];
    for (const writer of this.all) writer.start();
  }

  /** Those that go to another node when one does not answer. */
  get moving(): readonly ClusterWriter[] {
    return this.all.filter(({ habits }) => habits.staysAtNode !== true);
  }

  get acknowledged(): number {
    return this.all.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** The longest time, from one moment on, in which each shard acknowledged nothing to any node. */
  shardPausesMs(sinceMs: number): number[] {
    return this.#smq.map((writers) => longestPauseMs(writers, sinceMs));
  }

  /** Waits until every writer got so many answers more. */
  untilAnswered(count: number, after: string): Promise<void> {
    return this.#until(
      this.all.map((writer) => [writer]),
      count,
      after,
    );
  }

  /** Waits until every one that is not bound to a node got so many answers more, and every shard gave so many. */
  untilServed(count: number, after: string): Promise<void> {
    return this.#until([...this.moving.map((writer) => [writer]), ...this.#smq], count, after);
  }

  async #until(groups: readonly (readonly ClusterWriter[])[], count: number, after: string): Promise<void> {
    const answers = (group: readonly ClusterWriter[]) =>
      group.reduce((sum, { answeredAtMs }) => sum + answeredAtMs.length, 0);
    const before = groups.map(answers);
    const lacking = () => groups.filter((group, index) => answers(group) < before[index]! + count);
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (lacking().length > 0) {
      if (performance.now() > deadlineMs)
        throw new Error(`no answers after ${after}: ${said(lacking().flat())}`);
      await pause(POLL_MS);
    }
  }

  /** Stops the writers, reads all logs back, and says what is wrong with them, or what a client could not know what to do about. */
  async problems(reader: ClusterNode): Promise<string[]> {
    await Promise.all(this.all.map((writer) => writer.stop()));
    const problems = this.all.flatMap(({ refusals }) => refusals);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      problems.push(...(await problemsOf(reader, 'kafka', partition, this.#kafka)));
    }
    for (const [index, writers] of this.#smq.entries()) {
      problems.push(...(await problemsOf(reader, `smq.${index}`, 0, writers)));
    }
    for (const [index, writer] of this.#mqtt.entries()) {
      problems.push(...(await problemsOf(reader, `kept.${index}`, 0, [writer])));
    }
    if ((await committedOffset(reader)) < this.#committer.committed) problems.push('a commit is lost');
    return problems;
  }
}

/** The longest time between two answers to any of some writers, as far as it lies behind a moment. */
export function longestPauseMs(writers: readonly ClusterWriter[], sinceMs: number): number {
  const times = writers.flatMap(({ answeredAtMs }) => {
    let first = answeredAtMs.length;
    while (first > 0 && answeredAtMs[first - 1]! >= sinceMs) first--;
    return answeredAtMs.slice(first);
  });
  times.sort((a, b) => a - b);
  let before = sinceMs;
  let longest = 0;
  for (const atMs of times) {
    longest = Math.max(longest, atMs - before);
    before = atMs;
  }
  return longest;
}

function said(writers: readonly ClusterWriter[]): string {
  return writers
    .map((writer) => `${writer.constructor.name} of ${writer.topic}: ${writer.lastProblem}`)
    .join(', ');
}

async function makeTopics(node: ClusterNode): Promise<void> {
  await eventually(async () => {
    // Partitions lie in the shards in turn.
    const smq = Array.from({ length: PARTITIONS }, (_, index) => [`smq.${index}`, 1]);
    const topics = { kafka: PARTITIONS, ...Object.fromEntries(smq) };
    const errorCodes = await createTopicsAt(node.urlOf('kafka'), topics);
    return errorCodes.every((code) => code === 0 || code === KafkaErrorCode.topicAlreadyExists);
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
