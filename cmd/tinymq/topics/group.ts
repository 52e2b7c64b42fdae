import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { alter } from './alter.ts';
import { create } from './create.ts';
import { deleteAll } from './delete.ts';
import { describe } from './describe.ts';
import { list } from './list.ts';

export const topics: CommandGroup<Command> = {
  title: 'Topics',
  commands: [create, list, describe, alter, deleteAll],
};
