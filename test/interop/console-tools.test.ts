import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { hasJava, kafkaClasspath, runKafkaClass } from '../support/apache-kafka.ts';
import type { Peer } from './support/peer.ts';
import { describeWithPeer } from './support/suite.ts';
import { toolchain } from './support/toolchains.ts';
import { unique } from './support/trial.ts';

/** Kafka's scripts by name, and the class that each of them starts. */
const TOOLS = {
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
} as const;

type Tool = (name: keyof typeof TOOLS, args: readonly string[], input?: string) => Promise<string>;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-tools-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const java = await toolchain('java and mvn', hasJava(), kafkaClasspath);

describeWithPeer("Kafka's own tools", java, (_classpath, peer) => {
  it('kafka-topics creates, lists, describes, alters and deletes', async () => {
    const { tool, topic } = about(peer());
    const create = ['--create', '--topic', topic, '--partitions', '3', '--config', 'retention.ms=3600000'];
    expect(await tool('kafka-topics', create)).toContain(`Created topic ${topic}.`);
    expect(lines(await tool('kafka-topics', ['--list']))).toContain(topic);
    const described = lines(await tool('kafka-topics', ['--describe', '--topic', topic]));
    expect(described[0]).toMatch(
      new RegExp(
        `^Topic: ${topic}\tTopicId: \\S{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention.ms=3600000`,
      ),
    );
    expect(described.slice(1)).toEqual(
      [0, 1, 2].map((partition) =>
        expect.stringMatching(`Topic: ${topic}\tPartition: ${partition}\tLeader: 1\tReplicas: 1\tIsr: 1`),
      ),
    );
    await tool('kafka-topics', ['--alter', '--topic', topic, '--partitions', '5']);
    const altered = await tool('kafka-topics', ['--describe', '--topic', topic]);
    expect(altered).toContain('PartitionCount: 5');
    await tool('kafka-topics', ['--delete', '--topic', topic]);
    expect(lines(await tool('kafka-topics', ['--list']))).not.toContain(topic);
  });

  it('kafka-console-producer and kafka-console-consumer carry keys and headers', async () => {
    const { tool, topic } = about(peer());
    const parsed = ['parse.key=true', 'parse.headers=true'].flatMap((each) => ['--reader-property', each]);
    const printed = ['partition', 'offset', 'headers', 'key'].flatMap((each) => [
      '--formatter-property',
      `print.${each}=true`,
    ]);
    const input = 'h:1,i:2\tk1\tv1\nh:3\tk2\tv2\n';
    await tool('kafka-console-producer', ['--topic', topic, ...parsed], input);
    const consume = ['--topic', topic, '--from-beginning', '--max-messages', '2'];
    expect(lines(await tool('kafka-console-consumer', [...consume, ...printed]))).toEqual([
      'Partition:0\tOffset:0\th:1,i:2\tk1\tv1',
      'Partition:0\tOffset:1\th:3\tk2\tv2',
    ]);
  });

  it('kafka-consumer-groups and kafka-groups show groups, reset and delete', async () => {
    const { tool, topic } = about(peer());
    const group = unique('tools');
    await tool('kafka-console-producer', ['--topic', topic], 'one\ntwo\nthree\n');
    const consume = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '2'];
    expect(lines(await tool('kafka-console-consumer', consume))).toEqual(['one', 'two']);

    const ofGroup = (...args: string[]) => tool('kafka-consumer-groups', [...args, '--group', group]);
    expect(lines(await tool('kafka-consumer-groups', ['--list']))).toContain(group);
    expect(await tool('kafka-groups', ['--list'])).toMatch(
      new RegExp(`^${group}\\s+Classic\\s+consumer`, 'm'),
    );
    expect(words(await ofGroup('--describe')).slice(1)).toEqual([
      [group, topic, '0', '2', '3', '1', '-', '-', '-'],
    ]);
    expect(words(await ofGroup('--describe', '--state'))[1].slice(-2)).toEqual(['Empty', '0']);
    const reset = ['--reset-offsets', '--topic', topic, '--to-offset', '1', '--execute'];
    expect(words(await ofGroup(...reset))[1]).toEqual([group, topic, '0', '1']);
    expect(await ofGroup('--delete-offsets', '--topic', topic)).toContain('Successful');
    expect(await ofGroup('--delete')).toContain('was successful');
    expect(lines(await tool('kafka-consumer-groups', ['--list']))).not.toContain(group);
  });

  it('kafka-configs describes and alters topics and brokers', async () => {
    const { tool, topic } = about(peer());
    await tool('kafka-topics', ['--create', '--topic', topic]);
    const alter = ['--alter', '--topic', topic];
    expect(
      await tool('kafka-configs', [
        ...alter,
        '--add-config',
        'max.message.bytes=2000000,cleanup.policy=compact',
      ]),
    ).toContain('Completed updating config');
    const describe = ['--describe', '--topic', topic];
    const described = lines(await tool('kafka-configs', describe)).join('\n');
    expect(described).toMatch(/^ {2}max\.message\.bytes=2000000 sensitive=false/m);
    expect(described).toMatch(/^ {2}cleanup\.policy=compact sensitive=false/m);
    await tool('kafka-configs', [...alter, '--delete-config', 'cleanup.policy']);
    expect(await tool('kafka-configs', describe)).not.toContain('cleanup.policy');
    const ofBroker = await tool('kafka-configs', ['--describe', '--broker', '1', '--all']);
    expect(ofBroker).toMatch(/^ {2}auto\.create\.topics\.enable=true/m);
  });

  it('kafka-get-offsets, kafka-delete-records and kafka-log-dirs look at logs', async () => {
    const { tool, topic } = about(peer());
    await tool('kafka-console-producer', ['--topic', topic], 'one\ntwo\nthree\n');
    const file = join(folder, `${topic}.json`);
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 2 }] }));
    expect(await tool('kafka-delete-records', ['--offset-json-file', file])).toContain(
      `partition: ${topic}-0\tlow_watermark: 2`,
    );
    const offsets = (time: string) => tool('kafka-get-offsets', ['--topic', topic, '--time', time]);
    expect(await offsets('earliest')).toBe(`${topic}:0:2\n`);
    expect(await offsets('latest')).toBe(`${topic}:0:3\n`);
    const logDirs = lines(await tool('kafka-log-dirs', ['--describe', '--topic-list', topic]));
    const [broker] = JSON.parse(logDirs.find((line) => line.startsWith('{'))!).brokers;
    const partitions = broker.logDirs.flatMap(({ partitions }: { partitions: unknown[] }) => partitions);
    expect(partitions).toEqual([
      { partition: `${topic}-0`, size: expect.any(Number), offsetLag: 0, isFuture: false },
    ]);
    expect(partitions[0].size).toBeGreaterThan(0);
  });

  it('kafka-producer-perf-test, kafka-consumer-perf-test and kafka-e2e-latency measure', async () => {
    const { tool, topic } = about(peer());
    const produce = ['--topic', topic, '--num-records', '5000', '--record-size', '100', '--throughput', '-1'];
    expect(await tool('kafka-producer-perf-test', produce)).toContain('5000 records sent');
    const consumed = await tool('kafka-consumer-perf-test', ['--topic', topic, '--num-records', '5000']);
    expect(lines(consumed)[1].split(', ')[4]).toBe('5000');
    const latency = [
      '--topic',
      topic,
      '--num-records',
      '50',
      '--record-size',
      '100',
      '--producer-acks',
      'all',
    ];
    expect(await tool('kafka-e2e-latency', latency)).toMatch(/Percentiles: 50th = \d+/);
  });

  it('kafka-verifiable-producer and kafka-verifiable-consumer agree', async () => {
    const { tool, topic } = about(peer());
    const produced = await tool('kafka-verifiable-producer', ['--topic', topic, '--max-messages', '30']);
    expect(produced).toContain('"sent":30,"acked":30');
    const group = ['--group-id', unique('verifying'), '--reset-policy', 'earliest'];
    const consumed = await tool('kafka-verifiable-consumer', [
      '--topic',
      topic,
      '--max-messages',
      '30',
      ...group,
    ]);
    expect(consumed).toContain(`"offsets":[{"topic":"${topic}","partition":0,"offset":30}],"success":true`);
  });

  it('kafka-cluster and kafka-broker-api-versions find the broker', async () => {
    const { tool } = about(peer());
    expect(await tool('kafka-cluster', ['cluster-id'])).toMatch(/^Cluster ID: \S{22}$/m);
    const port = peer().bootstrap.split(':')[1];
    expect(await tool('kafka-cluster', ['list-endpoints'])).toMatch(
      new RegExp(`^1\\s+\\S+\\s+${port}\\s`, 'm'),
    );
    const versions = await tool('kafka-broker-api-versions', []);
    expect(versions).toMatch(new RegExp(`:${port} \\(id: 1 rack: null`));
    expect(versions).toMatch(/Produce\(0\): \d+ to \d+ \[usable: \d+\]/);
  });
});

/** Tools that know where the broker is, and the name of a new topic. */
function about({ bootstrap }: Peer): { tool: Tool; topic: string } {
  const tool: Tool = async (name, args, input) => {
    const all = name === 'kafka-cluster' ? [...args] : [];
    all.push('--bootstrap-server', bootstrap);
    if (name !== 'kafka-cluster') all.push(...args);
    const { code, stdout, stderr } = await runKafkaClass(
      TOOLS[name],
      all,
      input === undefined ? {} : { input },
    );
    expect(code, `${name} ${args.join(' ')}: ${stdout}${stderr}`).toBe(0);
    return stdout;
  };
  return { tool, topic: unique('tools') };
}

/** What a tool printed, without empty lines and hints to the user. */
function lines(text: string): string[] {
  const isSaid = (line: string) =>
    line !== '' && !line.startsWith('The consumer rebalance protocol (KIP-848)');
  return text.split('\n').filter(isSaid);
}

/** A table that a tool printed. */
function words(text: string): string[][] {
  return lines(text)
    .filter((line) => !line.startsWith('Consumer group '))
    .map((line) => line.trim().split(/\s+/));
}
