import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import * as context from './context.ts';

export const contexts: CommandGroup<Command> = {
  title: 'Which broker',
  commands: [context.add, context.use, context.ls, context.rm],
};
