import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { kafkaUrl, LastingProducer, recordsOf } from '../support/lasting-producer.ts';
import { rounds } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-crash-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOPIC = 'crash';
/** So that what is written together goes to several files. */
const PARTITIONS = 3;

const kafkaDirectory = (name: string): string => {
  const directory = join(folder, name);
  const topicId = 'ml8oAK_iQ6CoGb5lWEQRDQ';
  writeKafkaDirectory(directory, [{ name: TOPIC, topicId, partitionCount: PARTITIONS }]);
  return directory;
};
const STORES = [
  { name: 'SQLite', flags: (name: string) => ['-data-dir', join(folder, name)] },
  { name: "a Kafka's directory", flags: (name: string) => ['-kafka-log-dir', kafkaDirectory(name)] },
];

describe.each(STORES)(
  'kill -9 while producers with acks=all run, with $name',
  ({ name, flags: storeFlags }) => {
    it.each(['commit', 'os'])(
      'loses nothing, gives no offset twice, and writes once (-fsync %s)',
      async (fsync) => {
        const flags = ['-kafka', '127.0.0.1:0', '-kafka-partitions', String(PARTITIONS), '-fsync', fsync];
        flags.push(...storeFlags(`${name} ${fsync}`));
        const producers = [101, 102, 103, 104].map((id) => new LastingProducer(id, TOPIC, id % PARTITIONS));
        for (let round = 0; round < rounds(3); round++) {
          await using broker = await startBrokerProcess(flags);
          const url = kafkaUrl(broker);
          const wire = await KafkaWire.open(url);
          await wire.ask(metadata, 9, { topics: [{ name: TOPIC }] });
          wire.close();
          const before = producers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
          const running = producers.map((producer) => producer.run(url));
          await expect
            .poll(() => producers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0), {
              timeout: 60_000,
            })
            .toBeGreaterThan(before + 600);
          await broker.stop('SIGKILL');
          await Promise.all(running);
        }
        await using broker = await startBrokerProcess(flags);
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const found = await recordsOf(kafkaUrl(broker), TOPIC, partition);
          const byOffset = new Map(found);
          expect(byOffset.size).toBe(found.length);
          expect(new Set(found.map(([, text]) => text)).size).toBe(found.length);
          for (const { id, acknowledged } of producers.filter((each) => each.partition === partition)) {
            for (const [offset, text] of acknowledged) expect(byOffset.get(offset)).toBe(text);
            const own = found.map(([, text]) => text).filter((text) => text.startsWith(`${id}:`));
            expect(own).toEqual(own.map((_, sequence) => `${id}:${sequence}`));
          }
        }
      },
    );
  },
);
