import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { check } from './check.ts';
import { config } from './config.ts';
import { importFolder } from './import/import.ts';
import { status } from './status.ts';

export const cluster: CommandGroup<Command> = {
  title: 'Several nodes',
  commands: [config, status, check, importFolder],
};
