import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { check } from './check.ts';
import * as clients from './clients.ts';
import { status } from './status.ts';

export const broker: CommandGroup<Command> = {
  title: 'A broker that runs',
  commands: [status, check, clients.ls, clients.show, clients.kick],
};
