import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ALONE, LONGEST, SYSTEM, UNIT } from '../projects.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const exclude = (name: string) => name === 'node_modules' || name === 'dist';
const filesOf = (patterns: string[]) =>
  new Set(patterns.flatMap((each) => globSync(each, { cwd: root, exclude })));

describe('the projects of vitest', () => {
  it('run every test file of the repository', () => {
    const run = filesOf([...UNIT, ...SYSTEM]);
    expect([...filesOf(['**/*.test.ts'])].filter((path) => !run.has(path))).toEqual([]);
  });

  it('name no file that is not there', () => {
    for (const pattern of [...SYSTEM, ...ALONE, ...LONGEST])
      expect(filesOf([pattern]).size, pattern).toBeGreaterThan(0);
    const system = filesOf(SYSTEM);
    for (const path of ALONE) expect(system.has(path), path).toBe(true);
  });
});
