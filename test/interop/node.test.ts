import { join } from 'node:path';
import { describeFamily } from './support/suite.ts';
import { CLIENTS, node } from './support/toolchains.ts';

const program = (file: string) => join(CLIENTS, 'node', file);

describeFamily('Node', await node(), (command) => [
  {
    name: 'kafkajs 2.2',
    command: [command, program('kafkajs.ts')],
    compressions: ['gzip', 'zstd'],
    canBeIdempotent: true,
    lacks: ['deleteGroupOffset'],
  },
  {
    name: 'platformatic-kafka 2.12',
    command: [command, program('platformatic.ts')],
    compressions: ['gzip', 'snappy', 'lz4', 'zstd'],
    canBeIdempotent: true,
    lacks: [],
  },
]);
