import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import {
  topicsAlterProgram,
  topicsCreateProgram,
  topicsDeleteProgram,
  topicsDescribeProgram,
  topicsListProgram,
} from './flags.ts';

export const topics: CommandGroup<ListedCommand> = {
  title: 'Topics',
  commands: [
    { program: topicsCreateProgram, load: async () => (await import('./create.ts')).create },
    { program: topicsListProgram, load: async () => (await import('./list.ts')).list },
    { program: topicsDescribeProgram, load: async () => (await import('./describe.ts')).describe },
    { program: topicsAlterProgram, load: async () => (await import('./alter.ts')).alter },
    { program: topicsDeleteProgram, load: async () => (await import('./delete.ts')).deleteAll },
  ],
};
