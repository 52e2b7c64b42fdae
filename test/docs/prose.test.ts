import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What readers stumble over, and what to write instead. */
const BETTER: [RegExp, string][] = [
  [/\balso (if|where|when)\b/i, 'even'],
  [/\bcomes? to be\b/i, 'is created'],
  [/\bso (many|long)\b/i, 'the number or the time itself'],
  [/\bof no use\b/i, 'has no effect'],
  [/\bhands? back\b/i, 'returns'],
  [/(^|[.:;] |- )Who(ever)? (?!may\b|a\b|can\b|is\b)/, 'a subject: a client that …'],
  [/\b(recieve|seperate|occured|wich|teh|succesful|adress|untill|neccessary)\b/i, 'the right spelling'],
];

describe('the prose of', () => {
  it.each(globSync(['README.md', 'SECURITY.md', 'docs/*.md'], { cwd: ROOT }))('%s', (page) => {
    const lines = readFileSync(`${ROOT}${page}`, 'utf8').split('\n');
    const stumbles = lines.flatMap((line, index) =>
      BETTER.filter(([pattern]) => pattern.test(line)).map(
        ([, better]) => `${page}:${index + 1}: ${line.trim()} (better: ${better})`,
      ),
    );
    expect(stumbles).toEqual([]);
  });
});
