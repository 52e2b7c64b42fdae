import type { CommandGroup } from '../../../internal/config/suite.ts';
import type { Command } from '../../shared/run-program.ts';
import { importKafka } from './kafka.ts';
import { importSmq } from './smq.ts';

export const imports: CommandGroup<Command> = {
  title: 'Taking over data',
  commands: [importKafka, importSmq],
};
