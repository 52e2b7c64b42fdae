import { describeFamily } from './support/suite.ts';
import { java } from './support/toolchains.ts';

describeFamily('Java', await java(), (command) => [
  {
    name: 'kafka-clients 4.3',
    command,
    compressions: ['gzip', 'snappy', 'lz4', 'zstd'],
    canBeIdempotent: true,
    lacks: [],
  },
]);
