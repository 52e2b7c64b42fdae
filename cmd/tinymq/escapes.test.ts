import { expect, it } from 'vitest';
import { unescaped } from './escapes.ts';

it.each([
  ['\\n', '\n'],
  ['\\t|\\r', '\t|\r'],
  ['\\0', '\0'],
  ['\\\\n', '\\n'],
  ['\\x1f', '\x1f'],
  ['\\xA', '\n'],
  ['\\x414', 'A4'],
  ['a\\q', 'a\\q'],
  ['\\', '\\'],
  ['', ''],
])('%j means %j', (text, meant) => {
  expect(unescaped(text)).toBe(meant);
});
