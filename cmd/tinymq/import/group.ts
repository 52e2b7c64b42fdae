import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { importKafkaProgram, importMosquittoProgram, importSmqProgram } from './flags.ts';

export const imports: CommandGroup<ListedCommand> = {
  title: 'Taking over data',
  commands: [
    { program: importKafkaProgram, load: async () => (await import('./kafka.ts')).importKafka },
    { program: importMosquittoProgram, load: async () => (await import('./mosquitto.ts')).importMosquitto },
    { program: importSmqProgram, load: async () => (await import('./smq.ts')).importSmq },
  ],
};
