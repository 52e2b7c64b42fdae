import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { backup } from './backup.ts';
import { restore } from './restore.ts';
import { verify } from './verify.ts';

export const store: CommandGroup<Command> = {
  title: 'The store of a broker',
  commands: [backup, restore, verify],
};
