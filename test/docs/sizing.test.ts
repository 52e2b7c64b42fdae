import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

it('docs/sizing.md names the bounds of what waits as docs/flags.md does', () => {
  const rows = [...page('sizing.md').matchAll(/^\| [^|]+ \| `(\w+)` \| `(-[a-z-]+)` \|$/gm)];
  const flags = page('flags.md').matchAll(/^\| `(-[a-z-]+)[^|]*` \| [^|]* \| `(\w+)` \|/gm);
  const defaults = new Map([...flags].map(([, flag, value]) => [flag, value]));
  expect(rows.map(([, value, flag]) => [flag, value])).toEqual(
    rows.map(([, , flag]) => [flag, defaults.get(flag!)]),
  );
  expect(rows).toHaveLength(4);
});
