import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { check } from './check.ts';
import { migrate } from './migrate.ts';
import { schema } from './schema.ts';
import { show } from './show.ts';

export const configuration: CommandGroup<Command> = {
  title: 'Configuration',
  commands: [show, check, schema, migrate],
};
