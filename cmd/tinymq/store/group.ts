import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { backupProgram, restoreProgram, verifyProgram } from './flags.ts';

export const store: CommandGroup<ListedCommand> = {
  title: 'The store of a broker',
  commands: [
    { program: backupProgram, load: async () => (await import('./backup.ts')).backup },
    { program: restoreProgram, load: async () => (await import('./restore.ts')).restore },
    { program: verifyProgram, load: async () => (await import('./verify.ts')).verify },
  ],
};
