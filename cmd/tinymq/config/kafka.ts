import { resolve } from 'node:path';
import { readKafkaProperties } from '../../broker/kafka-properties.ts';
import { parseProperties } from '../../broker/server-properties.ts';
import { textOf } from '../import/mosquitto-access.ts';
import type { Left, Migrated, MigratedOption } from './migrated.ts';

/** Keys whose value is taken over. */
const TAKEN = [
  ...['listeners', 'advertised.listeners', 'listener.security.protocol.map', 'controller.listener.names'],
  ...['log.dirs', 'log.dir', 'num.partitions', 'auto.create.topics.enable'],
  ...['log.retention.ms', 'log.retention.minutes', 'log.retention.hours', 'log.retention.bytes'],
];

/** Keys that `broker server.properties` reads, and no flag says. */
const OF_THE_FILE = [
  'metadata.log.dir',
  'log.segment.bytes',
  'offsets.topic.num.partitions',
  'node.id',
  'broker.id',
];

/**
 * What a Kafka's `server.properties` says, in options of this broker.
 *
 * @throws UsageError where the file cannot be read, or says what this broker cannot do.
 */
export function migrateKafka(file: string): Migrated {
  const { listen, advertised, logDirs, partitions, retentionMs, retentionBytes } = readKafkaProperties(file);
  const options = new Map<string, MigratedOption>();
  const set = (flag: string, texts: readonly (string | undefined)[], note: string) => {
    const known = texts.filter((text) => text !== undefined);
    if (known.length > 0) options.set(flag, { texts: known, note });
  };
  const properties = parseProperties(textOf('FILE', file));
  set('kafka', listen, 'listeners');
  set('kafka-advertised', [advertised], 'advertised.listeners');
  set('kafka-partitions', [partitions?.toString()], 'num.partitions');
  set(
    'kafka-auto-create',
    [properties.get('auto.create.topics.enable')?.trim()],
    'auto.create.topics.enable',
  );
  set(
    'kafka-log-dir',
    logDirs.directories.map((folder) => resolve(folder)),
    'log.dirs: served in place',
  );
  set('keep-for', [`${retentionMs ?? WEEK_MS}ms`], 'log.retention');
  set('keep-bytes', [retentionBytes?.toString()], 'log.retention.bytes');
  // Kafka is open to everybody who reaches it, where its file says nothing else.
  set('allow-anonymous', ['true'], 'nobody is asked who he is');
  const left = [...properties.keys()]
    .filter((key) => !TAKEN.includes(key))
    .map((key): Left => ({ file, line: undefined, problem: `${key}: ${adviceFor(key)}` }));
  return { options, left, needless: [], access: undefined };
}

/** What a Kafka keeps for, unless it is told something else. */
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

function adviceFor(key: string): string {
  if (OF_THE_FILE.includes(key))
    return 'no flag says that; broker server.properties reads it from the file itself';
  return 'it has no effect here';
}
