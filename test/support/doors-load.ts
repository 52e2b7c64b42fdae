import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { LastingSubscriber } from '../mqtt/lasting-subscriber.ts';
import { type BrokerProcess, startBrokerProcess } from './broker-process.ts';
import {
  byHttp,
  byKafka,
  byMqtt,
  bySmq,
  LOGS,
  listening,
  makeTopic,
  makeTopics,
  type Writer,
} from './door-writers.ts';
import { eventually } from './eventually.ts';
import { commitOf, KafkaWire } from './kafka-wire.ts';
import { kafkaUrl, recordsOf } from './lasting-producer.ts';

const GROUP = 'readers';
const AGAIN_AFTER_MS = 50;
/** As each door says that the store is at fault; version 3.1.1 of MQTT has no word for it. */
const REFUSAL = /unavailable|refused with 131|the connection has ended|error (56|14|15)$/i;

/** Clients of every door of one data folder, which go on whatever is refused to them and whatever becomes of the broker. */
export class DoorsLoad implements AsyncDisposable {
  broker: BrokerProcess;
  /** Those that the brokers are started with. */
  readonly flags: readonly string[];
  readonly #start: () => Promise<BrokerProcess>;
  readonly #kafka = [byKafka(0), byKafka(1), byKafka(2)];
  readonly #mqtt = [byMqtt(5), byMqtt(4)];
  readonly #commits = new Commits();
  readonly #subscriber = new LastingSubscriber(5, 'subscriber');
  readonly #writers: readonly Writer[] = [...this.#kafka, ...this.#mqtt, byHttp(), bySmq()];
  /** Why each of the writers was refused something, since the last look. */
  readonly #refusals = new Map<Pick<Writer, 'acknowledged'>, string[]>();
  #running: Promise<void>[] = [];
  #isStopping = false;
  #topics = 0;

  private constructor(flags: readonly string[], start: () => Promise<BrokerProcess>, broker: BrokerProcess) {
    this.flags = flags;
    this.#start = start;
    this.broker = broker;
  }

  static async start(flags: readonly string[], env: NodeJS.ProcessEnv): Promise<DoorsLoad> {
    const start = () => startBrokerProcess(flags, env);
    const load = new DoorsLoad(flags, start, await start());
    await makeTopics(load.broker);
    await load.#subscriber.connect(load.broker);
    await load.#subscriber.subscribe('mqtt/x', 2);
    load.#run();
    await load.untilAllGoOn();
    return load;
  }

  /** Kills the broker, and lets the clients wait for the next one. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the broker in an orderly way. @returns how it ended */
  async stop(): Promise<{ code: number | null }> {
    return this.#end('SIGTERM');
  }

  /** Starts a broker on the same folder, and lets the clients go on. */
  async startAgain(): Promise<void> {
    this.broker = await this.#start();
    await this.#subscriber.connect(this.broker);
    this.#run();
  }

  /** Waits until every writer has something new acknowledged. */
  async untilAllGoOn(): Promise<void> {
    const before = this.#all.map((writer) => writer.acknowledged().length);
    for (const [at, writer] of this.#all.entries()) {
      await eventually(
        () => writer.acknowledged().length >= before[at]! + 3,
        `acknowledgements for ${writer.log} behind ${this.#refusals.get(writer)?.at(-1)}`,
      );
    }
  }

  /** Waits until every writer was refused something. */
  async untilAllRefused(): Promise<void> {
    this.#refusals.clear();
    for (const writer of this.#all) {
      const reason = await eventually(
        () => this.#refusals.get(writer)?.at(-1),
        `a refusal for ${writer.log}`,
      );
      expect(`${writer.log}: ${reason}`).toMatch(REFUSAL);
    }
  }

  /** Makes another topic, which the broker may refuse: few changes but this one are written to the journal. */
  async tryTopic(): Promise<void> {
    await makeTopic(this.broker, `other.${this.#topics++}`).catch(() => {});
  }

  async readiness(): Promise<{ status: number; text: string }> {
    const response = await fetch(`${listening(this.broker).http[0]}/readyz`);
    return { status: response.status, text: await response.text() };
  }

  /** Compares all that was acknowledged with what is there, after the last of the writers has ended. */
  async expectAll(): Promise<void> {
    await this.#quiet();
    for (const { publisher } of this.#mqtt) {
      await publisher.connect(this.broker);
      await publisher.settle();
    }
    for (const log of Object.keys(LOGS) as (keyof typeof LOGS)[]) await this.#expectLog(log);
    for (const { producer } of this.#kafka) {
      const found = new Map(await recordsOf(kafkaUrl(this.broker), 'kafka', producer.partition));
      const moved = [...producer.acknowledged].filter(([offset, text]) => found.get(offset) !== text);
      expect([producer.partition, moved]).toEqual([producer.partition, []]);
    }
    await this.#commits.expectLast(this.broker);
    await this.#expectSession();
    await this.#drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.broker.stop('SIGKILL');
    await Promise.all(this.#running);
    await this.#drop();
  }

  get #all(): readonly (Omit<Writer, 'log'> & { log: string })[] {
    return [...this.#writers, this.#commits];
  }

  #run(): void {
    this.#isStopping = false;
    const { broker } = this;
    this.#running = this.#all.map(async (writer) => {
      while (!this.#isStopping) {
        const reason = await writer.run(broker).catch((error: Error) => error.message);
        this.#refusals.set(writer, [...(this.#refusals.get(writer) ?? []), reason]);
        await delay(AGAIN_AFTER_MS);
      }
    });
  }

  async #end(signal: NodeJS.Signals): Promise<{ code: number | null }> {
    this.#isStopping = true;
    const ended = await this.broker.stop(signal);
    await Promise.all(this.#running);
    return ended;
  }

  /** Has the writers end with a broker that lives on: their connections end with another broker's start. */
  async #quiet(): Promise<void> {
    await this.#end('SIGTERM');
    this.broker = await this.#start();
    await this.#subscriber.connect(this.broker);
  }

  async #drop(): Promise<void> {
    for (const { publisher } of this.#mqtt) publisher.drop();
    await this.#subscriber.drop();
  }

  async #expectLog(log: keyof typeof LOGS): Promise<void> {
    const counts = new Map<string, number>();
    for (let partition = 0; partition < LOGS[log]; partition++) {
      for (const [, text] of await recordsOf(kafkaUrl(this.broker), log, partition)) {
        counts.set(text, (counts.get(text) ?? 0) + 1);
      }
    }
    const acknowledged = this.#writers
      .filter((writer) => writer.log === log)
      .flatMap((writer) => writer.acknowledged());
    expect([log, acknowledged.filter((text) => !counts.has(text))]).toEqual([log, []]);
    // Where the log has a message of MQTT and the sessions' store failed, it is refused, and comes again into the log.
    if (log === 'mqtt.x') return;
    expect([log, [...counts].filter(([, count]) => count > 1)]).toEqual([log, []]);
  }

  /**
   * The durable session has each message. With QoS 2 it has it once, if its publisher sends it again as the same one: version 5
   * says of a message that it was refused, and it comes again as another one.
   */
  async #expectSession(): Promise<void> {
    const texts = () => this.#subscriber.delivered.map(({ text }) => text);
    const all = this.#mqtt.flatMap((writer) => writer.acknowledged());
    await eventually(() => new Set(texts()).size === all.length, 'the session has all');
    const sent = this.#mqtt[1].publisher.acknowledged.filter(({ qos }) => qos === 2);
    const exactlyOnce = new Set(sent.map(({ text }) => text));
    const counted = texts().filter((text) => exactlyOnce.has(text));
    expect(counted.length - new Set(counted).size).toBe(0);
  }
}

/** Commits of a group, which grow. */
class Commits {
  readonly log = 'commits of a group';
  readonly #acknowledged: string[] = [];
  #last = 0;

  acknowledged(): string[] {
    return this.#acknowledged;
  }

  async run(broker: BrokerProcess): Promise<string> {
    const wire = await KafkaWire.open(kafkaUrl(broker));
    try {
      for (;;) {
        const { topics } = await wire.ask(offsetCommit, 7, commitOf(GROUP, 'kafka', ++this.#last));
        const { errorCode } = topics[0]!.partitions[0]!;
        if (errorCode !== 0) return `the commit was answered with the error ${errorCode}`;
        this.#acknowledged.push(`${this.#last}`);
      }
    } finally {
      wire.close();
    }
  }

  /** What is there was asked for last, or acknowledged last. */
  async expectLast(broker: BrokerProcess): Promise<void> {
    const wire = await KafkaWire.open(kafkaUrl(broker));
    const asked = [{ name: 'kafka', partitionIndexes: [0] }];
    const { topics } = await wire.ask(offsetFetch, 5, { groupId: GROUP, topics: asked });
    wire.close();
    const { committedOffset } = topics[0]!.partitions[0]!;
    expect(committedOffset).toBeGreaterThanOrEqual(Number(this.#acknowledged.at(-1)));
    expect(committedOffset).toBeLessThanOrEqual(this.#last);
  }
}
