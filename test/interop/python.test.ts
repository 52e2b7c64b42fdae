import { join } from 'node:path';
import { describeFamily } from './support/suite.ts';
import { CLIENTS, python } from './support/toolchains.ts';

const ALL = ['gzip', 'snappy', 'lz4', 'zstd'];

const [current, old] = [await python('requirements.txt'), await python('requirements-old.txt')];

const program = (file: string) => join(CLIENTS, 'python', file);

describeFamily(
  'Python clients',
  'missing' in current || 'missing' in old
    ? { missing: 'missing' in current ? current.missing : 'no old packages' }
    : {
        there: [
          {
            name: 'kafka-python 3.0',
            command: [current.there, program('kafka_python.py')],
            compressions: ALL,
            canBeIdempotent: true,
            lacks: [],
          },
          {
            name: 'confluent-kafka 2.16',
            command: [current.there, program('confluent.py')],
            compressions: ALL,
            canBeIdempotent: true,
            lacks: ['deleteGroupOffset'],
          },
          {
            name: 'aiokafka 0.14',
            command: [current.there, program('aiokafka_client.py')],
            compressions: ALL,
            canBeIdempotent: true,
            lacks: ['setGroupOffset', 'deleteGroupOffset', 'deleteGroup'],
          },
          {
            name: 'kafka-python 2.0',
            command: [old.there, program('kafka_python.py')],
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
        ],
      },
);
