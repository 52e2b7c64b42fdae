import { expect, it } from 'vitest';
import { UsageError } from '../../cli/options/program.ts';
import { startOf } from './start.ts';

const NOW_MS = Date.parse('2026-01-31T12:00:00Z');

it.each([
  ['beginning', { kind: 'beginning' }],
  ['earliest', { kind: 'beginning' }],
  ['end', { kind: 'end' }],
  ['latest', { kind: 'end' }],
  ['stored', { kind: 'stored' }],
  ['0', { kind: 'offset', offset: 0 }],
  ['123', { kind: 'offset', offset: 123 }],
  ['-5', { kind: 'last', count: 5 }],
  ['@1700000000000', { kind: 'time', timestamp: 1_700_000_000_000 }],
  ['s@17', { kind: 'time', timestamp: 17 }],
  ['2026-01-31T11:00:00', { kind: 'time', timestamp: NOW_MS - 3_600_000 }],
  ['-1h', { kind: 'time', timestamp: NOW_MS - 3_600_000 }],
])('reading from %s', (text, start) => {
  expect(startOf(text, NOW_MS)).toEqual(start);
});

it.each(['', 'start', '1.5', '--5', '@', '@x', '1h', '-1w', '9'.repeat(16)])(
  'nothing begins at %j',
  (text) => {
    expect(() => startOf(text, NOW_MS)).toThrow(UsageError);
  },
);
