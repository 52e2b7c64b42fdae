import { join } from 'node:path';
import type { ClientProgram } from './client-program.ts';
import { CLIENTS } from './toolchains.ts';

/** Kafka's clients by their languages, each with what it can and what it lacks. */

const ALL = ['gzip', 'snappy', 'lz4', 'zstd'];

export function javaClients(command: readonly string[]): ClientProgram[] {
  return [{ name: 'kafka-clients 4.3', command, compressions: ALL, canBeIdempotent: true, lacks: [] }];
}

export function goClients(program: (name: string) => string): ClientProgram[] {
  return [
    {
      name: 'kafka-go 0.4',
      command: [program('kafka_go')],
      compressions: ALL,
      canBeIdempotent: false,
      readsEmptyAsNull: true,
      needsAllBrokers: true,
      lacks: ['deleteRecords'],
    },
    {
      name: 'franz-go 1.20',
      command: [program('franz_go')],
      compressions: ALL,
      canBeIdempotent: true,
      lacks: [],
    },
    {
      name: 'sarama 1.46',
      command: [program('sarama')],
      compressions: ALL,
      canBeIdempotent: true,
      losesSequences: true,
      lacks: ['setGroupOffset'],
    },
  ];
}

/** @param packages where they are. */
export function nodeClients(packages: string): ClientProgram[] {
  const command = (file: string) => [process.execPath, join(CLIENTS, 'node', file)];
  const env = { PACKAGES: packages };
  return [
    {
      name: 'kafkajs 2.2',
      command: command('kafkajs.ts'),
      env,
      compressions: ['gzip', 'zstd'],
      canBeIdempotent: true,
      endsWhenCommitted: true,
      lacks: ['deleteGroupOffset'],
    },
    {
      name: 'platformatic-kafka 2.12',
      command: command('platformatic.ts'),
      env,
      needsAllBrokers: true,
      compressions: ALL,
      canBeIdempotent: true,
      endsWhenCommitted: true,
      lacks: [],
    },
  ];
}

/** @param pythons with the packages of now, and with older ones. */
export function pythonClients({ current, old }: { current: string; old: string }): ClientProgram[] {
  const program = (file: string) => join(CLIENTS, 'python', file);
  return [
    {
      name: 'kafka-python 3.0',
      command: [current, program('kafka_python.py')],
      compressions: ALL,
      canBeIdempotent: true,
      lacks: [],
    },
    {
      name: 'confluent-kafka 2.16',
      command: [current, program('confluent.py')],
      compressions: ALL,
      canBeIdempotent: true,
      crashesWithoutCoordinator: true,
      endsWhenCommitted: true,
      lacks: ['deleteGroupOffset'],
    },
    {
      name: 'aiokafka 0.14',
      command: [current, program('aiokafka_client.py')],
      compressions: ALL,
      canBeIdempotent: true,
      endsWhenCommitted: true,
      lacks: ['setGroupOffset', 'deleteGroupOffset', 'deleteGroup'],
    },
    {
      name: 'kafka-python 2.0',
      command: [old, program('kafka_python.py')],
      compressions: ALL,
      canBeIdempotent: false,
      lacks: [
        'describeTopic',
        'configs',
        'alterConfigs',
        'deleteRecords',
        'offset',
        'groups',
        'describeGroup',
        'groupOffsets',
        'setGroupOffset',
        'deleteGroupOffset',
        'deleteGroup',
      ],
    },
  ];
}
