import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = globSync(['README.md', 'docs/*.md'], { cwd: root });

/** `1,024<!-- limit: maxFilterLevels -->` or `256 KiB<!-- limit: x -->`: a reader sees the number, and this test its name. */
const MARKED = /([\d,.]+)(?:\s+([A-Za-z]+))?<!-- limit: (\w+) -->/g;
const UNITS: Record<string, number> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  ms: 1,
  s: 1000,
  second: 1000,
  seconds: 1000,
  minute: 60_000,
  minutes: 60_000,
  hours: 3_600_000,
  days: 86_400_000,
};

const limits = await allLimits();

// docs/operations.md said that a client has at most 1,000,000 filters, docs/mqtt.md and the code said 100,000.
describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const marked = [...text.matchAll(MARKED)];

  it('says of each limit that it names what the code says', () => {
    for (const [whole, number, unit, name] of marked) {
      expect(limits, `${whole}: internal/limits has no such limit`).toHaveProperty(name);
      const value =
        Number(number.replaceAll(',', '')) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN));
      expect(value, whole).toBe(limits[name]);
    }
  });

  it('has a number before each mark', () => {
    expect(text.match(/<!-- limit:/g)?.length ?? 0).toBe(marked.length);
  });
});

it('the table of limits in docs/operations.md names a flag or a limit of the code in each row', () => {
  const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const table = text.split('\n## Limits\n')[1].split('\n\n')[1];
  for (const row of table.split('\n').slice(2)) expect(row).toMatch(/\| `-[a-z-]+` +\||<!-- limit: \w+ -->/);
});

async function allLimits(): Promise<Record<string, unknown>> {
  const files = globSync('internal/limits/*.ts', { cwd: root }).filter((file) => !file.includes('.test.'));
  const modules = await Promise.all(files.map((file) => import(join(root, file))));
  return Object.assign({}, ...modules);
}
