import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaClient } from '../../internal/clients/kafka/client.ts';
import { Producer } from '../../internal/clients/kafka/producer.ts';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import type { ConnectionSettings } from '../../internal/clients/socket.ts';
import { ProduceRequest, ProduceResponse } from '../../internal/protocol/smq/smq.ts';
import { kcat } from '../interop/support/toolchains.ts';
import { LastingPublisher } from '../mqtt/lasting-publisher.ts';
import { type BrokerProcess, program, run, start } from '../support/broker-process.ts';
import { addressOf, type ClusterProcesses, startCluster } from '../support/cluster-processes.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * Brokers in processes of their own on three real NATS servers are one broker for their clients, also when one of them is killed.
 */

const nats = await natsServer();
const withKcat = kcat();

describe.runIf('there' in nats)('three brokers on three NATS servers', { timeout: 240_000 }, () => {
  let cluster: ClusterProcesses;
  const stop = new AbortController();
  beforeAll(async () => {
    cluster = await startCluster('there' in nats ? nats.there : '', 3, ['-keep', 'kept/#']);
  }, 240_000);
  afterAll(async () => {
    stop.abort();
    await cluster?.close();
  });

  const settings = (): ConnectionSettings => ({
    ...{ clientId: 'test', softwareVersion: '0', tls: undefined, stop: stop.signal },
    ...{ connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
  });
  const living = () =>
    cluster.brokers.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const kafkaOf = (broker: BrokerProcess) => {
    const { host, port } = addressOf(broker, 'kafka');
    return `${host}:${port}`;
  };
  const clientOf = (brokers: readonly BrokerProcess[]) =>
    KafkaClient.connect(
      brokers.map((broker) => addressOf(broker, 'kafka')),
      settings(),
    );

  /** What a program prints that reads a topic from its beginning through a broker. */
  async function consumed(broker: BrokerProcess, topic: string): Promise<string[]> {
    const at = ['-address', kafkaOf(broker)];
    const { code, stdout, stderr } = await run(program('tinymq'), [
      'consume',
      topic,
      ...at,
      ...['-from', 'beginning', '-exit', '-format', '%s\n'],
    ]);
    expect(code, stderr).toBe(0);
    return stdout.split('\n').slice(0, -1);
  }

  async function smqClient(broker: BrokerProcess) {
    const client = await SmqClient.connect(addressOf(broker, 'grpc'), settings());
    const types = { request: ProduceRequest, response: ProduceResponse };
    return (topic: string, text: string) =>
      client.unary('Produce', types, { topic, message: Buffer.from(text) });
  }

  async function createTopic(name: string, partitions: number): Promise<void> {
    const at = ['-address', kafkaOf(living()[0]!)];
    const made = await run(program('tinymq'), [
      'topics',
      'create',
      name,
      '-partitions',
      String(partitions),
      ...at,
    ]);
    expect(made.code, made.stderr).toBe(0);
  }

  it('take from SMQ clients on each of them, and give all of it on each', async () => {
    await createTopic('smq', 3);
    const sent: string[] = [];
    for (const [index, broker] of cluster.brokers.entries()) {
      const produce = await smqClient(broker);
      for (let number = 0; number < 10; number++) {
        sent.push(`${index} ${number}`);
        await produce('smq', sent.at(-1)!);
      }
    }
    for (const broker of cluster.brokers) {
      expect((await consumed(broker, 'smq')).sort()).toEqual(sent.sort());
    }
  });

  it('keep what MQTT clients publish on each of them, and replay it on another', async () => {
    const texts: string[] = [];
    for (const [index, broker] of cluster.brokers.entries()) {
      const publisher = new LastingPublisher(5, `publisher${index}`, (number) => {
        const text = `${index} ${number}`;
        return { topic: 'kept/topic', text, qos: 1, retain: false };
      });
      await publisher.connect(broker);
      await publisher.publish(20);
      await publisher.settle();
      publisher.drop();
      texts.push(...publisher.acknowledged.map(({ text }) => text));
    }
    for (const broker of cluster.brokers) {
      const { host, port } = addressOf(broker, 'frames');
      const args = ['-address', `${host}:${port}`, '-topic', 'kept/#', '-from', 'earliest'];
      const count = ['-count', String(texts.length), '-format', '%p\\n'];
      const read = await run(program('subscriber'), [...args, ...count]);
      expect(read.code, read.stderr).toBe(0);
      expect(read.stdout.split('\n').slice(0, -1).sort()).toEqual(texts.sort());
    }
  });

  it('go on where one is killed: what was acknowledged is there once and in order, from every other one', async () => {
    await createTopic('orders', 8);
    const acknowledged = new Map<number, [offset: number, count: number][]>();
    const client = await clientOf(cluster.brokers);
    const producer = await Producer.open(client, 'orders', {
      ...{ acks: -1, compression: 'none', partition: undefined, maxBatchBytes: 16_384, timeoutMs: 30_000 },
      onNote() {},
      onStored(partition, offset, count) {
        const stored = acknowledged.get(partition) ?? [];
        acknowledged.set(partition, stored);
        stored.push([offset, count]);
      },
    });
    let sent = 0;
    const produceSome = async (count: number) => {
      for (let index = 0; index < count; index++) {
        const number = sent++;
        const key = Buffer.from(`key ${number % 64}`);
        const value = Buffer.from(`${number}`);
        await producer.add(Date.now(), key, value, []);
        if (number % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await produceSome(2_000);
    const victim = cluster.brokers[1]!;
    victim.child.kill('SIGKILL');
    await once(victim.child, 'exit');
    const killedMs = performance.now();
    await produceSome(2_000);
    await producer.flush();
    const tookMs = performance.now() - killedMs;
    expect(tookMs).toBeLessThan(60_000);
    for (const broker of living()) {
      const texts = await consumed(broker, 'orders');
      expect(texts.length).toBe(sent);
      expect(new Set(texts).size).toBe(sent);
    }
    for (const stored of acknowledged.values()) {
      let next = 0;
      for (const [offset, count] of stored) {
        expect(offset).toBe(next);
        next += count;
      }
    }
    // Another takes its place, and is one of them.
    await cluster.start();
    const texts = await consumed(cluster.brokers.at(-1)!, 'orders');
    expect(new Set(texts).size).toBe(sent);
  });

  it.skipIf('missing' in withKcat)(
    'have one group of consumers, which goes on where its coordinator is killed',
    async () => {
      const brokers = living().map(kafkaOf).join(',');
      const topic = ['-X', 'topic.metadata.refresh.interval.ms=500'];
      const producer = start(
        'kcat',
        ['-P', '-b', brokers, '-t', 'grouped', '-X', 'enable.idempotence=true', ...topic],
        {
          input: Array.from({ length: 500 }, (_, index) => `${index}\n`).join(''),
        },
      );
      expect((await producer.ended).code).toBe(0);
      const group = ['-X', 'auto.offset.reset=earliest', '-X', 'auto.commit.interval.ms=100', ...topic];
      const consumer = start('kcat', ['-b', brokers, '-q', '-u', ...group, '-G', 'g', 'grouped']);
      try {
        const lines = () => consumer.stdout().split('\n').slice(0, -1);
        await eventually(() => lines().length >= 500, 'the first messages');
        const client = await clientOf(living());
        await client.metadata(null);
        const coordinator = await coordinatorOf(client);
        const victim = living().find((broker) => addressOf(broker, 'kafka').port === coordinator.port)!;
        victim.child.kill('SIGKILL');
        const more = start(
          'kcat',
          ['-P', '-b', brokers, '-t', 'grouped', '-X', 'enable.idempotence=true', ...topic],
          {
            input: Array.from({ length: 500 }, (_, index) => `${500 + index}\n`).join(''),
          },
        );
        expect((await more.ended).code).toBe(0);
        await eventually(() => new Set(lines()).size === 1_000, 'all messages');
      } finally {
        consumer.child.kill('SIGKILL');
      }
    },
  );

  it('take nothing for stored while NATS is away, say so, and go on by themselves', async () => {
    await createTopic('away', 1);
    const broker = living()[0]!;
    const { host, port } = addressOf(broker, 'http');
    const isReady = async () => (await fetch(`http://${host}:${port}/readyz`)).ok;
    await eventually(isReady, 'a broker that is ready');
    const produce = await smqClient(broker);
    await produce('away', 'before');
    for (const server of cluster.nats.servers) server.pause();
    try {
      await eventually(async () => !(await isReady()), 'a broker that is not ready');
      const refused = produce('away', 'meanwhile').then(
        () => 'stored',
        (error: Error) => error.message,
      );
      expect(await refused).toMatch(/UNAVAILABLE/);
    } finally {
      for (const server of cluster.nats.servers) server.resume();
    }
    await eventually(isReady, 'a broker that is ready again');
    await eventually(
      () =>
        produce('away', 'after').then(
          () => true,
          () => false,
        ),
      'a message that is stored',
    );
    const texts = await consumed(living().at(-1)!, 'away');
    expect(texts[0]).toBe('before');
    expect(texts.at(-1)).toBe('after');
    expect(texts.filter((text) => text === 'after').length).toBe(1);
  });

  async function coordinatorOf(client: KafkaClient): Promise<{ host: string; port: number }> {
    const { findCoordinator } = await import('../../internal/protocol/kafka/apis/10-find-coordinator.ts');
    const answer = await client.send(findCoordinator, { key: 'g', keyType: 0, coordinatorKeys: ['g'] });
    return answer.coordinators[0]!;
  }
});
