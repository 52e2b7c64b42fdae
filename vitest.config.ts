import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { ALONE, SYSTEM, UNIT } from './test/projects.ts';
import LongestFirst from './test/sequencer.ts';
import { torturePatienceMs } from './test/support/torture.ts';

const SIDE_BY_SIDE = availableParallelism();

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      project('unit', UNIT, SYSTEM, { workers: SIDE_BY_SIDE, groupOrder: 0 }),
      project('system', SYSTEM, ALONE, { workers: SIDE_BY_SIDE, groupOrder: 0 }),
      project('alone', ALONE, [], { workers: 1, groupOrder: 1 }),
    ],
  },
});

/** Projects of a group run side by side, groups one after the other. */
function project(
  name: string,
  include: string[],
  exclude: string[],
  { workers, groupOrder }: { workers: number; groupOrder: number },
) {
  return {
    test: {
      name,
      include,
      exclude: ['node_modules', 'dist', ...exclude],
      pool: 'forks' as const,
      maxWorkers: workers,
      sequence: { groupOrder },
      // Nothing here depends on being fast: a shared machine may stall a test for many seconds.
      testTimeout: torturePatienceMs(180_000),
      hookTimeout: 180_000,
    },
  };
}
