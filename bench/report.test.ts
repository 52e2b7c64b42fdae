import { expect, test } from 'vitest';
import { mediansOf, tableOf } from './report.ts';

test('a round with loss does not count', () => {
  const rounds = [
    { messagesPerSecond: 1_000, lost: 0 },
    { messagesPerSecond: 9_000, lost: 5 },
    { messagesPerSecond: 2_000, lost: 0 },
    { messagesPerSecond: 3_000, lost: 0 },
  ];
  expect(mediansOf({ name: 'somebody', rounds })).toEqual({ messagesPerSecond: 2_000, lost: 0 });
});

test('where every round lost something there is no rate', () => {
  expect(mediansOf({ name: 'somebody', rounds: [{ messagesPerSecond: 9_000, lost: 1 }] })).toEqual({});
});

test('columns are as wide as their widest cell', () => {
  const rows = [
    ['', 'rate', 'lost'],
    ['tinymq', '1,234,567', '0'],
  ];
  expect(tableOf(rows)).toBe('             rate  lost\ntinymq  1,234,567     0');
});
