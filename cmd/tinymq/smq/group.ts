import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import {
  smqBulkProgram,
  smqConsumeProgram,
  smqProduceProgram,
  smqTopicsCreateProgram,
  smqTopicsDeleteUntilProgram,
  smqTopicsShowProgram,
} from './flags.ts';

export const smq: CommandGroup<ListedCommand> = {
  title: 'By the protocol of SMQ',
  commands: [
    { program: smqTopicsCreateProgram, load: async () => (await import('./topics.ts')).createTopics },
    { program: smqTopicsShowProgram, load: async () => (await import('./topics.ts')).showTopics },
    { program: smqTopicsDeleteUntilProgram, load: async () => (await import('./topics.ts')).deleteUntil },
    { program: smqProduceProgram, load: async () => (await import('./produce.ts')).produce },
    { program: smqConsumeProgram, load: async () => (await import('./consume.ts')).consume },
    { program: smqBulkProgram, load: async () => (await import('./bulk.ts')).bulk },
  ],
};
