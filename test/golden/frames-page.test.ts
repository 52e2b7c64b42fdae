import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import golden from './frames.json' with { type: 'json' };

/** Lines of docs/frames.md that draw bytes begin with groups of hex digits. */
const DRAWN = /^ {4,}((?:(?:[0-9a-f]{2})+ ?)+)(?: |$)/;

// The page and the file are two ways to say the same: whoever changes the wire has to change both.
it('docs/frames.md draws the golden frames of the extensions, byte for byte', () => {
  const page = readFileSync('docs/frames.md', 'utf8');
  const promising = page.slice(
    page.indexOf('## Extensions that promise'),
    page.indexOf('## From the original'),
  );
  const lines = promising.split('\n').flatMap((line) => DRAWN.exec(line)?.[1] ?? []);
  // The table of type bytes has single bytes.
  const bytes = lines
    .filter((line) => line.replaceAll(' ', '').length > 2)
    .join('')
    .replaceAll(' ', '');
  const isMeant = (frame: (typeof golden.frames)[number]) => 'means' in frame;
  let rest = bytes;
  const undrawn: string[] = [];
  // Longer ones first: a short one may be a part of another.
  for (const { name, hex } of golden.frames.filter(isMeant).sort((a, b) => b.hex.length - a.hex.length)) {
    if (!rest.includes(hex)) undrawn.push(name);
    rest = rest.replaceAll(hex, '|');
  }
  expect(undrawn).toEqual(['PUBLISH with all properties of a message']);
  expect(rest.replaceAll('|', '')).toBe('');
});
