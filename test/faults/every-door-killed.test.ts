import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LastingSubscriber } from '../mqtt/lasting-subscriber.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import {
  byHttp,
  byKafka,
  byMqtt,
  bySmq,
  DOORS,
  KEPT,
  LOGS,
  makeTopics,
  type Writer,
} from '../support/door-writers.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { kafkaUrl, recordsOf } from '../support/lasting-producer.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-doors-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Acknowledgements that each door has to give before the broker is killed. */
const AT_LEAST = 20;

/**
 * A door on a machine with other work takes seconds for twenty requests, one after the other, each of which waits for the
 * disk: one that hangs is one that does not answer the next.
 */
async function untilWritten(writer: Writer, before: number, running: Promise<string>): Promise<void> {
  let end: string | undefined;
  running.then(
    (how) => (end = how),
    (error: Error) => (end = error.message),
  );
  for (let count = 1; count <= AT_LEAST; count++) {
    await eventually(() => {
      if (end !== undefined) throw new Error(`the writer of ${writer.log} has ended: ${end}`);
      return writer.acknowledged().length >= before + count;
    }, `acknowledgement ${count} of ${AT_LEAST} for ${writer.log}`);
  }
}

const STORES = [
  {
    name: 'a data folder',
    place: (path: string) => ['-data-dir', path, ...KEPT],
  },
  { name: "a Kafka's directory", place: kafkaDirectory },
];

function kafkaDirectory(path: string): string[] {
  const topics = Object.entries(LOGS).map(([name, partitionCount], index) => ({
    name,
    topicId: Buffer.alloc(16, index + 1).toString('base64url'),
    partitionCount,
  }));
  writeKafkaDirectory(path, topics);
  return ['-kafka-log-dir', path, '-data-dir', `${path} sessions`];
}

describe.each(STORES)('kill -9 while every door writes, with $name', ({ name, place }) => {
  it.each(['commit', 'os'])(
    'leaves all that any of them acknowledged (-fsync %s)',
    async (fsync) => {
      const flags = [...DOORS, ...['-fsync', fsync], ...place(join(folder, `${name} ${fsync}`))];
      const mqtt = byMqtt();
      const writers: Writer[] = [byKafka(0), byKafka(1), byKafka(2), mqtt, byHttp(), bySmq()];
      const subscriber = new LastingSubscriber(5, 'subscriber');
      const start = () => startBrokerProcess(flags);
      let broker = await start();
      try {
        if (name === 'a data folder') await makeTopics(broker);
        await subscriber.connect(broker);
        await subscriber.subscribe('mqtt/x', 2);
        for (let round = 0; round < rounds(2); round++) {
          if (round > 0) await subscriber.connect(broker);
          const before = writers.map((writer) => writer.acknowledged().length);
          const running = writers.map((writer) => writer.run(broker));
          for (const [at, writer] of writers.entries()) await untilWritten(writer, before[at]!, running[at]!);
          await broker.stop('SIGKILL');
          for (const end of await Promise.all(running)) expect(end).not.toContain('answered with the error');
          broker = await start();
        }
        for (const log of Object.keys(LOGS) as (keyof typeof LOGS)[]) {
          const found = new Set<string>();
          for (let partition = 0; partition < LOGS[log]; partition++) {
            for (const [, text] of await recordsOf(kafkaUrl(broker), log, partition)) found.add(text);
          }
          const acknowledged = writers
            .filter((writer) => writer.log === log)
            .flatMap((writer) => writer.acknowledged());
          expect([log, acknowledged.filter((text) => !found.has(text))]).toEqual([log, []]);
        }
        await mqtt.publisher.connect(broker);
        await mqtt.publisher.settle();
        await subscriber.connect(broker);
        const all = mqtt.publisher.acknowledged.map(({ text }) => text);
        await eventually(
          () => new Set(subscriber.delivered.map(({ text }) => text)).size === all.length,
          'the session has all',
        );
        await subscriber.drop();
        mqtt.publisher.drop();
      } finally {
        // Whatever ended it: nobody else would end the broker.
        await broker.stop('SIGKILL');
      }
    },
    torturePatienceMs(240_000),
  );
});
