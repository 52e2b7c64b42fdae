import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { importKafka } from './kafka.ts';
import { importMosquitto } from './mosquitto.ts';
import { importSmq } from './smq.ts';

export const imports: CommandGroup<Command> = {
  title: 'Taking over data',
  commands: [importKafka, importMosquitto, importSmq],
};
