import type { CommandGroup } from '../../cli/options/suite.ts';
import type { ListedCommand } from '../../cli/run-program.ts';
import { benchProgram } from '../bench/flags.ts';
import { supportProgram } from '../support/flags.ts';
import { topProgram } from '../top/flags.ts';
import { traceProgram, whyProgram } from './flags.ts';

export const observe: CommandGroup<ListedCommand> = {
  title: 'What the broker does',
  commands: [
    { program: topProgram, load: async () => (await import('../top/top.ts')).top },
    { program: benchProgram, load: async () => (await import('../bench/bench.ts')).bench },
    { program: whyProgram, load: async () => (await import('./why.ts')).why },
    { program: traceProgram, load: async () => (await import('./trace.ts')).trace },
    { program: supportProgram, load: async () => (await import('../support/support.ts')).support },
  ],
};
