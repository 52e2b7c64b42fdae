import { describeFamily } from './support/suite.ts';
import { go } from './support/toolchains.ts';

const ALL = ['gzip', 'snappy', 'lz4', 'zstd'];

describeFamily('Go', await go(), (program) => [
  {
    name: 'kafka-go 0.4',
    command: [program('kafka_go')],
    compressions: ALL,
    canBeIdempotent: false,
    readsEmptyAsNull: true,
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
]);
