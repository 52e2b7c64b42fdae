import { join } from 'node:path';
import { describeFamily } from './support/suite.ts';
import { CLIENTS, python } from './support/toolchains.ts';

const ALL = ['gzip', 'snappy', 'lz4', 'zstd'];
const program = (file: string) => join(CLIENTS, 'python', file);

describeFamily('Python', await python(), ({ current, old }) => [
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
    lacks: ['deleteGroupOffset'],
  },
  {
    name: 'aiokafka 0.14',
    command: [current, program('aiokafka_client.py')],
    compressions: ALL,
    canBeIdempotent: true,
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
]);
