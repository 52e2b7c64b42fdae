import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A path in code marks, as in `broker/delivery/turn.ts` or `test/golden/`. */
const PATH = /`([\w.-]+(?:\/[\w.-]+)+\/?)`/g;

describe.each([
  ['internal/README.md', ['internal', '.']],
  ['CONTRIBUTING.md', ['.']],
])('%s', (page, bases) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('names files that are there', () => {
    const named = [...text.matchAll(PATH)].map(([, path]) => path);
    expect(named.length).toBeGreaterThan(10);
    const lacking = named.filter((path) => !bases.some((base) => existsSync(join(root, base, path))));
    expect(lacking).toEqual([]);
  });

  it('links to files that are there', () => {
    for (const [, path] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      expect(existsSync(join(root, dirname(page), path)), path).toBe(true);
    }
  });
});

it('CONTRIBUTING.md names targets that make has', () => {
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
  const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  for (const [, target] of text.matchAll(/`make ([\w-]+)`/g)) {
    expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'));
  }
});
