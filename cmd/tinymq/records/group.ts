import type { CommandGroup } from '../../../internal/config/suite.ts';
import type { Command } from '../../shared/run-program.ts';
import { consume } from './consume.ts';
import { produce } from './produce.ts';

export const records: CommandGroup<Command> = {
  title: 'Messages',
  commands: [produce, consume],
};
