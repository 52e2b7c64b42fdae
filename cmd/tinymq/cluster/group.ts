import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import {
  clusterCheckProgram,
  clusterConfigProgram,
  clusterImportProgram,
  clusterStatusProgram,
} from './flags.ts';

export const cluster: CommandGroup<ListedCommand> = {
  title: 'Several nodes',
  commands: [
    { program: clusterConfigProgram, load: async () => (await import('./config.ts')).config },
    { program: clusterStatusProgram, load: async () => (await import('./status.ts')).status },
    { program: clusterCheckProgram, load: async () => (await import('./check.ts')).check },
    { program: clusterImportProgram, load: async () => (await import('./import/import.ts')).importFolder },
  ],
};
