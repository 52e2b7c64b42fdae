import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { bulk } from './bulk.ts';
import { consume } from './consume.ts';
import { produce } from './produce.ts';
import { createTopics, deleteUntil, showTopics } from './topics.ts';

export const smq: CommandGroup<Command> = {
  title: 'By the protocol of SMQ',
  commands: [createTopics, showTopics, deleteUntil, produce, consume, bulk],
};
