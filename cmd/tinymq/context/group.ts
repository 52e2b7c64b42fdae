import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { contextAddProgram, contextLsProgram, contextRmProgram, contextUseProgram } from './flags.ts';

export const contexts: CommandGroup<ListedCommand> = {
  title: 'Which broker',
  commands: [
    { program: contextAddProgram, load: async () => (await import('./context.ts')).add },
    { program: contextUseProgram, load: async () => (await import('./context.ts')).use },
    { program: contextLsProgram, load: async () => (await import('./context.ts')).ls },
    { program: contextRmProgram, load: async () => (await import('./context.ts')).rm },
  ],
};
