import { join } from 'node:path';
import { describeFamily } from './support/suite.ts';
import { CLIENTS, node } from './support/toolchains.ts';

const program = (file: string) => join(CLIENTS, 'node', file);

describeFamily('Node', await node(), (packages) => [
  {
    name: 'kafkajs 2.2',
    command: [process.execPath, program('kafkajs.ts')],
    env: { PACKAGES: packages },
    compressions: ['gzip', 'zstd'],
    canBeIdempotent: true,
    lacks: ['deleteGroupOffset'],
  },
  {
    name: 'platformatic-kafka 2.12',
    command: [process.execPath, program('platformatic.ts')],
    env: { PACKAGES: packages },
    compressions: ['gzip', 'snappy', 'lz4', 'zstd'],
    canBeIdempotent: true,
    lacks: [],
  },
]);
