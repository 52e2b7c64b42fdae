/** Kafka's own measuring tools, on the load generator's core. */
import { once } from 'node:events';
import { kafkaClasspath } from '../test/support/apache-kafka.ts';
import type { KafkaPerfProduceCase } from './kafka-cases.ts';
import { LOAD_CORE, start } from './processes.ts';

/** What Kafka's scripts give these tools, without their log, which is for people. */
const JVM_OPTIONS = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];

/**
 * Runs ProducerPerformance.
 *
 * @returns records per second, as it says.
 */
export async function producerPerformance(
  port: number,
  topic: string,
  { records, recordBytes, properties }: KafkaPerfProduceCase,
): Promise<number> {
  const output = await runTool('ProducerPerformance', [
    ...['--bootstrap-server', `127.0.0.1:${port}`],
    ...['--topic', topic],
    ...['--num-records', String(records)],
    ...['--record-size', String(recordBytes)],
    ...['--throughput', '-1'],
    ...['--command-property', ...properties],
  ]);
  return rateOfProducer(output, records);
}

/**
 * Runs ConsumerPerformance, as a new group.
 *
 * @returns records per second without the time to join the group, as it says.
 */
export async function consumerPerformance(port: number, topic: string, records: number): Promise<number> {
  const output = await runTool('ConsumerPerformance', [
    ...['--bootstrap-server', `127.0.0.1:${port}`],
    ...['--topic', topic],
    ...['--num-records', String(records)],
  ]);
  return rateOfConsumer(output);
}

/** Reads what ProducerPerformance says at its end. @throws Error where it did not send everything. */
export function rateOfProducer(output: string, records: number): number {
  const sums = [...output.matchAll(/^(\d+) records sent, ([\d.]+) records\/sec .* 99th/gm)];
  const rate = sums.find(([, sent]) => Number(sent) === records)?.[2];
  if (rate === undefined) throw new Error(`ProducerPerformance did not send everything: ${output}`);
  return Number(rate);
}

/** Reads the column fetch.nMsg.sec of ConsumerPerformance. @throws Error where there is none. */
export function rateOfConsumer(output: string): number {
  const lines = output.split('\n').map((line) => line.split(',').map((cell) => cell.trim()));
  const head = lines.findIndex((cells) => cells.includes('fetch.nMsg.sec'));
  const rate = Number(lines[head + 1]?.[lines[head]?.indexOf('fetch.nMsg.sec')]);
  if (head < 0 || !(rate > 0)) throw new Error(`ConsumerPerformance did not say how fast it was: ${output}`);
  return rate;
}

async function runTool(name: string, args: readonly string[]): Promise<string> {
  const classpath = await kafkaClasspath();
  const tool = start(
    { program: 'java', args: [...JVM_OPTIONS, '-cp', classpath, `org.apache.kafka.tools.${name}`, ...args] },
    LOAD_CORE,
  );
  const [code] = await once(tool.child, 'close');
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${tool.output()}`);
  return tool.output();
}
