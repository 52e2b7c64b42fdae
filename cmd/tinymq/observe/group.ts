import type { CommandGroup } from '../../cli/options/suite.ts';
import type { Command } from '../../cli/run-program.ts';
import { bench } from '../bench/bench.ts';
import { support } from '../support/support.ts';
import { top } from '../top/top.ts';
import { trace } from './trace.ts';
import { why } from './why.ts';

export const observe: CommandGroup<Command> = {
  title: 'What the broker does',
  commands: [top, bench, why, trace, support],
};
