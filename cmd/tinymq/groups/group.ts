import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import {
  groupsDeleteProgram,
  groupsDescribeProgram,
  groupsListProgram,
  groupsResetOffsetsProgram,
} from './flags.ts';

export const groups: CommandGroup<ListedCommand> = {
  title: 'Groups of consumers, by the protocol of Kafka',
  commands: [
    { program: groupsListProgram, load: async () => (await import('./list.ts')).list },
    { program: groupsDescribeProgram, load: async () => (await import('./describe.ts')).describe },
    {
      program: groupsResetOffsetsProgram,
      load: async () => (await import('./reset-offsets.ts')).resetOffsets,
    },
    { program: groupsDeleteProgram, load: async () => (await import('./delete.ts')).deleteAll },
  ],
};
