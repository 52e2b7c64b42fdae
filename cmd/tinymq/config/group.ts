import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { configCheckProgram, configMigrateProgram, configSchemaProgram, configShowProgram } from './flags.ts';

export const configuration: CommandGroup<ListedCommand> = {
  title: 'Configuration',
  commands: [
    { program: configShowProgram, load: async () => (await import('./show.ts')).show },
    { program: configCheckProgram, load: async () => (await import('./check.ts')).check },
    { program: configSchemaProgram, load: async () => (await import('./schema.ts')).schema },
    { program: configMigrateProgram, load: async () => (await import('./migrate.ts')).migrate },
  ],
};
