import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { consumeProgram, produceProgram } from './flags.ts';

export const records: CommandGroup<ListedCommand> = {
  title: 'Messages',
  commands: [
    { program: produceProgram, load: async () => (await import('./produce.ts')).produce },
    { program: consumeProgram, load: async () => (await import('./consume.ts')).consume },
  ],
};
