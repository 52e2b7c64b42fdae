import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { consume } from './consume.ts';
import { produce } from './produce.ts';

export const records: CommandGroup<Command> = {
  title: 'Messages',
  commands: [produce, consume],
};
