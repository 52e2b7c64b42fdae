import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NEEDED_NODE, runtimeProblem } from './runtime.ts';

describe('the runtime', () => {
  it.each(['0.10.48', '12.22.12', '18.20.8', '20.20.2', '21.9.0', '22.0.0', '22.9.0', '22.22.9'])(
    'is not %s',
    (version) => {
      expect(runtimeProblem(version)).toBe(
        `needs Node.js 22.23 or newer, and this is ${version}: https://nodejs.org`,
      );
    },
  );

  it.each(['22.23.0', '22.100.1', '24.0.0', '26.1.0-nightly', process.versions.node])(
    'may be %s',
    (version) => {
      expect(runtimeProblem(version)).toBeUndefined();
    },
  );

  it('is the same for npm', () => {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    expect(JSON.parse(text).engines).toEqual({ node: `>=${NEEDED_NODE}` });
  });
});
