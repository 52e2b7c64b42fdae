import { describe, expect, it } from 'vitest';
import { durationOf, instantOf } from './times.ts';

describe('a point in time', () => {
  it.each([
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T12:30', '2026-01-31T12:30:00.000Z'],
    ['2026-01-31T12:30:01.5', '2026-01-31T12:30:01.500Z'],
    ['2026-01-31T12:30:00Z', '2026-01-31T12:30:00.000Z'],
    ['2026-01-31T12:30:00+02:00', '2026-01-31T10:30:00.000Z'],
    ['2026-01-31T12:30:00.000-0130', '2026-01-31T14:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(new Date(instantOf(text)!).toISOString()).toBe(expected);
  });

  it.each([
    '',
    'now',
    '2026',
    '2026-13-01',
    '2026-02-30',
    '2026-01-31 12:00',
    '31.1.2026',
    '2026-01-31T25:00',
  ])('is not %j', (text) => {
    expect(instantOf(text)).toBeUndefined();
  });
});

describe('a length of time', () => {
  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['PT1H30M', 5_400_000],
    ['P1D', 86_400_000],
    ['P1DT2H3M4.5S', 93_784_500],
  ])('%s', (text, expected) => {
    expect(durationOf(text)).toBe(expected);
  });

  it.each(['', '5', 'P', 'PT', 'P1H', '-5s', '1w', 'h'])('is not %j', (text) => {
    expect(durationOf(text)).toBeUndefined();
  });
});
