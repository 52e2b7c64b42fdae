import { setTimeout as pause } from 'node:timers/promises';
import { buildBatch } from '../../internal/batch/build.ts';
import { MqttClient } from '../../internal/clients/mqtt/client.ts';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import { SmqRefusal } from '../../internal/clients/smq/refusal.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { findCoordinator } from '../../internal/protocol/kafka/apis/10-find-coordinator.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { ProduceRequest, ProduceResponse } from '../../internal/protocol/smq/smq.ts';
import { commitOf, createTopicsAt, KafkaWire } from './kafka-wire.ts';
import type { ClusterNode } from './mortal-cluster.ts';

/** How long a client waits for an answer: less than Kafka's clients do, to see how long the cluster takes. */
const ANSWER_MS = 5_000;
const PAUSE_MS = 50;
const RECORDS_PER_BATCH = 10;

/** A text that was acknowledged. */
export interface Acknowledged {
  readonly text: string;
  /** Where it has to be; undefined where the protocol does not say. */
  readonly offset: number | undefined;
  readonly partition: number;
}

/** How a writer goes about it. */
export interface Habits {
  /** Asks the same node again and again. Default: another one after each failure. */
  staysAtNode?: boolean;
  /** How long it rests after each answer. */
  paceMs?: number;
}

/** Writes to a topic of a cluster whatever becomes of its nodes, until it is stopped. */
export abstract class ClusterWriter {
  readonly topic: string;
  readonly habits: Habits;
  readonly acknowledged: Acknowledged[] = [];
  /** Times of acknowledgements, by `performance.now()`. */
  readonly answeredAtMs: number[] = [];
  /** Refusals after which a client does not try again. */
  readonly refusals: string[] = [];
  /** What happened to it last. */
  lastProblem = '';
  protected readonly nodes: readonly ClusterNode[];
  protected isStopped = false;
  #node: number;
  #running: Promise<void> = Promise.resolve();

  constructor(nodes: readonly ClusterNode[], topic: string, node: number, habits: Habits = {}) {
    this.nodes = nodes;
    this.topic = topic;
    this.habits = habits;
    this.#node = node;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.#running;
  }

  /** Writes something once, and says so by {@link acknowledge}. @throws Error where it is not known whether it was. */
  protected abstract write(node: ClusterNode): Promise<void>;

  /** Whether a client does not try again after such an error. */
  protected abstract isFinal(error: Error): boolean;

  /** Ends its connection: it goes on with another one. */
  protected abstract drop(): void;

  protected acknowledge(...texts: Acknowledged[]): void {
    this.acknowledged.push(...texts);
    this.answeredAtMs.push(performance.now());
  }

  async #run(): Promise<void> {
    const { staysAtNode = false, paceMs = 0 } = this.habits;
    while (!this.isStopped) {
      try {
        await this.write(this.nodes[this.#node % this.nodes.length]!);
        if (paceMs > 0) await pause(paceMs);
      } catch (error) {
        this.lastProblem = (error as Error).message;
        if (this.isFinal(error as Error)) this.refusals.push(`${this.constructor.name}: ${this.lastProblem}`);
        this.drop();
        if (!staysAtNode) this.#node++;
        await pause(PAUSE_MS);
      }
    }
    this.drop();
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ANSWER_MS);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** What Kafka's producers send again after. */
export const RETRIABLE = new Set<number>([
  KafkaErrorCode.unknownTopicOrPartition,
  KafkaErrorCode.leaderNotAvailable,
  KafkaErrorCode.notLeaderOrFollower,
  KafkaErrorCode.requestTimedOut,
  KafkaErrorCode.coordinatorLoadInProgress,
  KafkaErrorCode.coordinatorNotAvailable,
  KafkaErrorCode.notCoordinator,
  KafkaErrorCode.notEnoughReplicasAfterAppend,
  KafkaErrorCode.kafkaStorageError,
]);

/** What a broker answered to one of Kafka's clients. */
class ErrorCode extends Error {
  readonly isRetriable: boolean;

  constructor(api: string, code: number) {
    super(`${api}: error ${code}`);
    this.isRetriable = RETRIABLE.has(code);
  }
}

function isFinalForKafka(error: Error): boolean {
  return error instanceof ErrorCode && !error.isRetriable;
}

/** An idempotent producer of one partition, which sends a batch until it is answered. */
export class KafkaWriter extends ClusterWriter {
  readonly #partition: number;
  #wire: KafkaWire | undefined;
  #producer: { producerId: bigint | number; producerEpoch: number } | undefined;
  #sequence = 0;
  #made = 0;
  #batch: { texts: string[]; bytes: Uint8Array } | undefined;

  constructor(nodes: readonly ClusterNode[], topic: string, partition: number, habits?: Habits) {
    super(nodes, topic, partition, habits);
    this.#partition = partition;
  }

  protected async write(node: ClusterNode): Promise<void> {
    this.#wire ??= await inTime(this.#toLeader(node));
    this.#batch ??= this.#newBatch();
    const { texts, bytes } = this.#batch;
    const partitionData = [{ index: this.#partition, records: bytes }];
    const topicData = [{ name: this.topic, partitionData }];
    const { responses } = await inTime(
      this.#wire.ask(produce, 9, { acks: -1, timeoutMs: 30_000, topicData }),
    );
    const { errorCode, baseOffset } = responses[0].partitionResponses[0];
    if (errorCode !== 0) {
      throw new ErrorCode('Produce', errorCode);
    }
    this.#sequence += texts.length;
    this.#batch = undefined;
    const partition = this.#partition;
    this.acknowledge(...texts.map((text, at) => ({ text, offset: Number(baseOffset) + at, partition })));
  }

  protected isFinal(error: Error): boolean {
    return isFinalForKafka(error);
  }

  protected drop(): void {
    this.#wire?.close();
    this.#wire = undefined;
  }

  async #toLeader(node: ClusterNode): Promise<KafkaWire> {
    this.#producer ??= await this.#identify(node);
    return KafkaWire.open(await leaderUrl(node, this.topic, this.#partition));
  }

  async #identify(node: ClusterNode) {
    const wire = await KafkaWire.open(node.urlOf('kafka'));
    const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
    const { errorCode, producerId, producerEpoch } = await wire.ask(initProducerId, 4, request);
    wire.close();
    if (errorCode !== 0) throw new ErrorCode('InitProducerId', errorCode);
    return { producerId, producerEpoch };
  }

  #newBatch() {
    const texts = Array.from({ length: RECORDS_PER_BATCH }, () => `kafka ${this.#partition} ${this.#made++}`);
    const { producerId, producerEpoch } = this.#producer!;
    const bytes = buildBatch(
      texts.map((text) => ({ timestamp: Date.now(), key: null, value: Buffer.from(text), headers: [] })),
      { producerId: Number(producerId), producerEpoch, baseSequence: this.#sequence },
    );
    return { texts, bytes };
  }
}

/** Asks by SMQ; what is not answered it does not ask again. */
export class SmqWriter extends ClusterWriter {
  readonly #name: string;
  #client: SmqClient | undefined;
  #made = 0;
  readonly #stop = new AbortController();

  constructor(nodes: readonly ClusterNode[], topic: string, node: number, habits?: Habits) {
    super(nodes, topic, node, habits);
    this.#name = `smq ${topic} ${node}`;
  }

  protected async write(node: ClusterNode): Promise<void> {
    const text = `${this.#name} ${this.#made++}`;
    this.#client ??= await inTime(
      SmqClient.connect(
        { host: '127.0.0.1', port: node.ports.grpc },
        { tls: undefined, stop: this.#stop.signal, connectTimeoutMs: ANSWER_MS, requestTimeoutMs: ANSWER_MS },
      ),
    );
    const types = { request: ProduceRequest, response: ProduceResponse };
    const request = { topic: this.topic, message: Buffer.from(text) };
    const { offset } = await inTime(this.#client.unary('Produce', types, request));
    // Offsets of SMQ begin with one.
    this.acknowledge({ text, offset: Number(offset) - 1, partition: 0 });
  }

  protected isFinal(error: Error): boolean {
    return error instanceof SmqRefusal && error.status !== Status.UNAVAILABLE;
  }

  protected drop(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

/**
 * Reasons of MQTT after which a client tries again. A broker that stood still reads a connection of this client only when it has
 * another one by then, and takes that over.
 */
const PASSING =
  /Implementation specific error|Server (shutting down|unavailable|busy)|Session taken over|ECONNREFUSED|connection refused/;

/** Publishes with QoS 1 to a topic that is kept; what is not acknowledged it does not publish again. */
export class MqttWriter extends ClusterWriter {
  readonly #name: string;
  #client: MqttClient | undefined;
  #made = 0;
  readonly #stop = new AbortController();

  constructor(nodes: readonly ClusterNode[], topic: string, node: number, habits?: Habits) {
    super(nodes, topic, node, habits);
    this.#name = `mqtt-${node}`;
  }

  protected async write(node: ClusterNode): Promise<void> {
    const text = `${this.#name} ${this.#made++}`;
    this.#client ??= await inTime(
      MqttClient.connect(
        { host: '127.0.0.1', port: node.ports.frames },
        {
          ...{ clientId: this.#name, softwareVersion: 'test', tls: undefined, stop: this.#stop.signal },
          ...{ connectTimeoutMs: ANSWER_MS, requestTimeoutMs: ANSWER_MS },
        },
      ),
    );
    const client = this.#client;
    const answered = new Promise<void>((resolve) => {
      client.onAcknowledged = resolve;
    });
    const room = client.publish(this.topic, Buffer.from(text), 1);
    await inTime(Promise.race([Promise.all([room, answered]), client.ended]));
    this.acknowledge({ text, offset: undefined, partition: 0 });
  }

  protected isFinal({ message }: Error): boolean {
    return /refuse|ended the connection/.test(message) && !PASSING.test(message);
  }

  protected drop(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

/** Commits ever larger offsets of a group. */
export class Committer extends ClusterWriter {
  readonly group: string;
  #wire: KafkaWire | undefined;
  /** The last offset that was answered. */
  committed = 0;
  #next = 0;

  constructor(nodes: readonly ClusterNode[], topic: string, group: string, habits?: Habits) {
    super(nodes, topic, 0, habits);
    this.group = group;
  }

  protected async write(node: ClusterNode): Promise<void> {
    this.#wire ??= await inTime(toCoordinator(node, this.group));
    const offset = ++this.#next;
    const commit = commitOf(this.group, this.topic, offset);
    const { topics } = await inTime(this.#wire.ask(offsetCommit, 7, commit));
    const { errorCode } = topics[0].partitions[0];
    if (errorCode !== 0) {
      throw new ErrorCode('OffsetCommit', errorCode);
    }
    this.committed = offset;
    this.answeredAtMs.push(performance.now());
  }

  protected isFinal(error: Error): boolean {
    return isFinalForKafka(error);
  }

  protected drop(): void {
    this.#wire?.close();
    this.#wire = undefined;
  }
}

/** Makes a topic, of which each partition is in another shard as far as there are so many. */
export async function makeTopic(node: ClusterNode, name: string, numPartitions: number): Promise<void> {
  const [errorCode] = await createTopicsAt(node.urlOf('kafka'), { [name]: numPartitions });
  if (errorCode !== 0) throw new ErrorCode('CreateTopics', errorCode!);
}

/** Where the node listens for Kafka's clients that leads a partition. @throws Error where none does. */
export async function leaderUrl(node: ClusterNode, topic: string, partition: number): Promise<string> {
  const wire = await KafkaWire.open(node.urlOf('kafka'));
  const { brokers, topics } = await wire.ask(metadata, 9, { topics: [{ name: topic }] });
  wire.close();
  const leader = topics[0].partitions[partition]?.leaderId;
  const there = brokers.find(({ nodeId }) => nodeId === leader);
  if (there === undefined) throw new Error('nobody leads');
  return `tcp://127.0.0.1:${there.port}`;
}

/** A connection to the node that coordinates a group. */
export async function toCoordinator(node: ClusterNode, group: string): Promise<KafkaWire> {
  const wire = await KafkaWire.open(node.urlOf('kafka'));
  const { errorCode, port } = await wire.ask(findCoordinator, 3, { key: group, keyType: 0 });
  wire.close();
  if (errorCode !== 0) throw new ErrorCode('FindCoordinator', errorCode);
  return KafkaWire.open(`tcp://127.0.0.1:${port}`);
}
