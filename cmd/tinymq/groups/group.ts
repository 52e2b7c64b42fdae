import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { deleteAll } from './delete.ts';
import { describe } from './describe.ts';
import { list } from './list.ts';
import { resetOffsets } from './reset-offsets.ts';

export const groups: CommandGroup<Command> = {
  title: 'Groups of consumers, by the protocol of Kafka',
  commands: [list, describe, resetOffsets, deleteAll],
};
