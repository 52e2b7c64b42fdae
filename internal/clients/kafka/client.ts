import { setTimeout as sleep } from 'node:timers/promises';
import { metadata } from '../../protocol/kafka/apis/03-metadata.ts';
import { findCoordinator } from '../../protocol/kafka/apis/10-find-coordinator.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { Api, InputOf } from '../../protocol/kafka/schema.ts';
import { type BrokerAddress, ConnectionFailure, type ConnectionSettings, nameOf } from '../socket.ts';
import { type AnswerOf, KafkaConnection, type SendOptions } from './connection.ts';
import { demand, KafkaRefusal } from './refusal.ts';

/** What Metadata says. */
export type ClusterMetadata = AnswerOf<typeof metadata>;
export type TopicMetadata = ClusterMetadata['topics'][number];

/** A broker of the cluster; -1 where nobody knows its id. */
export interface BrokerNode extends BrokerAddress {
  nodeId: number;
}

const FIRST_RETRY_AFTER_MS = 50;
const RETRY_AT_MOST_AFTER_MS = 1_000;

/**
 * A Kafka client for administration, producing and consuming: it knows which broker to ask for what, and asks again
 * where Kafka says that the answer may be another one in a moment.
 */
export class KafkaClient {
  readonly #settings: ConnectionSettings;
  readonly #addresses: readonly BrokerAddress[];
  #bootstrap: Promise<KafkaConnection>;
  readonly #connections = new Map<string, Promise<KafkaConnection>>();
  #brokers: readonly BrokerNode[] = [];
  #controllerId = -1;
  #isClosed = false;

  private constructor(addresses: readonly BrokerAddress[], settings: ConnectionSettings) {
    this.#addresses = addresses;
    this.#settings = settings;
    this.#bootstrap = openFirst(addresses, settings);
  }

  /**
   * Connects to the first of some brokers that can be reached.
   *
   * @throws Failure with one clear line, where none can be.
   */
  static async connect(
    addresses: readonly BrokerAddress[],
    settings: ConnectionSettings,
  ): Promise<KafkaClient> {
    const client = new KafkaClient(addresses, settings);
    await client.#bootstrap;
    return client;
  }

  /** The brokers that Metadata named last. */
  get brokers(): readonly BrokerNode[] {
    return this.#brokers;
  }

  /** Asks any broker. */
  async send<A extends Api>(
    api: A,
    body: InputOf<A['request']>,
    options?: SendOptions,
  ): Promise<AnswerOf<A>> {
    return (await this.#anyConnection()).send(api, body, options);
  }

  /** Whether the broker serves an API at all. */
  async serves(api: Api): Promise<boolean> {
    return (await this.#anyConnection()).serves(api);
  }

  /** Asks the broker that administers topics. */
  async sendToController<A extends Api>(
    api: A,
    body: InputOf<A['request']>,
    options?: SendOptions,
  ): Promise<AnswerOf<A>> {
    if (this.#controllerId === -1) await this.metadata([]);
    return (await this.connectionTo(this.#controllerId)).send(api, body, options);
  }

  /**
   * Asks the broker that keeps a group.
   *
   * @throws KafkaRefusal where no broker does.
   */
  async sendToCoordinator<A extends Api>(
    groupId: string,
    api: A,
    body: InputOf<A['request']>,
    options?: SendOptions,
  ): Promise<AnswerOf<A>> {
    const { nodeId } = await this.coordinatorOf(groupId);
    return (await this.connectionTo(nodeId)).send(api, body, options);
  }

  /**
   * The broker that keeps a group.
   *
   * @throws KafkaRefusal where no broker does.
   */
  coordinatorOf(groupId: string): Promise<BrokerNode> {
    return this.retrying(async () => {
      const answer = await this.send(findCoordinator, {
        key: groupId,
        keyType: 0,
        coordinatorKeys: [groupId],
      });
      const { nodeId, host, port, errorCode, errorMessage } = answer.coordinators[0] ?? answer;
      demand(`group '${groupId}'`, errorCode, errorMessage);
      if (!this.#brokers.some((broker) => broker.nodeId === nodeId)) await this.metadata([]);
      return { nodeId, host, port };
    });
  }

  /**
   * What the cluster says about topics, sorted by name; null for all of them.
   *
   * @param mayCreate whether topics that do not exist may come to be by being asked for.
   */
  async metadata(topics: readonly string[] | null, mayCreate = false): Promise<ClusterMetadata> {
    const answer = await this.send(metadata, {
      topics: topics?.map((name) => ({ name })) ?? null,
      allowAutoTopicCreation: mayCreate,
    });
    demand('the cluster', answer.errorCode);
    this.#brokers = answer.brokers;
    this.#controllerId = answer.controllerId;
    return answer;
  }

  /**
   * One topic with its partitions, all of which have a leader.
   *
   * @param mayCreate whether it may come to be by being asked for; that may take a moment.
   * @throws KafkaRefusal
   */
  topic(name: string, mayCreate = false): Promise<TopicMetadata> {
    const isUnknown = (error: KafkaRefusal) => error.code === KafkaErrorCode.unknownTopicOrPartition;
    return this.retrying(
      async () => {
        const topic = (await this.metadata([name], mayCreate)).topics[0];
        demand(`topic '${name}'`, topic?.errorCode ?? KafkaErrorCode.unknownTopicOrPartition);
        for (const { partitionIndex, leaderId, errorCode } of topic.partitions) {
          if (leaderId === -1) demand(`partition ${partitionIndex} of topic '${name}'`, errorCode);
        }
        return topic;
      },
      (error) => error.isRetriable || (mayCreate && isUnknown(error)),
    );
  }

  /** The connection to a broker by its id; one that is not known is the one that is there. */
  async connectionTo(nodeId: number): Promise<KafkaConnection> {
    const broker = this.#brokers.find((known) => known.nodeId === nodeId);
    // The only broker may name itself by an address that does not lead there from here, behind a tunnel for example.
    if (broker === undefined || this.#brokers.length === 1) return this.#anyConnection();
    const name = nameOf(broker);
    const known = this.#connections.get(name);
    const connection = await known?.catch(() => undefined);
    if (connection?.isOpen) return connection;
    // Somebody else may have begun to open another one meanwhile.
    if (this.#connections.get(name) !== known) return this.connectionTo(nodeId);
    const opening = KafkaConnection.open(broker, this.#settings);
    this.#connections.set(name, opening);
    return opening;
  }

  /** The first connection, or another one where that has been closed: brokers do so to whoever is quiet for long. */
  async #anyConnection(): Promise<KafkaConnection> {
    const known = this.#bootstrap;
    const connection = await known.catch(() => undefined);
    if (connection?.isOpen) return connection;
    if (this.#isClosed) return known;
    if (this.#bootstrap !== known) return this.#anyConnection();
    const opening = openFirst(this.#addresses, this.#settings);
    this.#bootstrap = opening;
    return opening;
  }

  /**
   * Does something again, after ever longer pauses, while Kafka refuses it with an error that may pass.
   *
   * @throws what the last attempt threw.
   */
  async retrying<T>(
    attempt: () => Promise<T>,
    isWorthIt = (error: KafkaRefusal) => error.isRetriable,
  ): Promise<T> {
    const endsAt = performance.now() + this.#settings.requestTimeoutMs;
    for (let pauseMs = FIRST_RETRY_AFTER_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_AT_MOST_AFTER_MS)) {
      try {
        return await attempt();
      } catch (error) {
        const isLast = performance.now() + pauseMs > endsAt;
        if (isLast || !(error instanceof KafkaRefusal) || !isWorthIt(error)) throw error;
      }
      await this.pause(pauseMs);
    }
  }

  /** @throws the reason of the stop, when there is one meanwhile. */
  async pause(pauseMs: number): Promise<void> {
    const { stop } = this.#settings;
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) throw stop.reason;
  }

  /** Closes all connections; whoever waits for an answer gets this error. */
  close(reason?: unknown): void {
    this.#isClosed = true;
    for (const connection of [this.#bootstrap, ...this.#connections.values()]) {
      connection.then((open) => open.close(reason)).catch(() => {});
    }
  }
}

/** @throws Failure that names all addresses, where none can be reached. */
async function openFirst(
  addresses: readonly BrokerAddress[],
  settings: ConnectionSettings,
): Promise<KafkaConnection> {
  const failures: Error[] = [];
  for (const address of addresses) {
    try {
      return await KafkaConnection.open(address, settings);
    } catch (error) {
      if (settings.stop.aborted) throw error;
      failures.push(error as Error);
    }
  }
  throw failures.length === 1
    ? failures[0]
    : new ConnectionFailure(failures.map(({ message }) => message).join('; '));
}
