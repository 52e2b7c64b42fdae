import { describe, expect, it } from 'vitest';
import { ago, bytes, clock, count, duration, many, rate, words } from './format.ts';

describe('what people read', () => {
  it.each([
    [count(1_234_567), '1,234,567'],
    [count(undefined), '–'],
    [rate(0.25), '0.25'],
    [rate(2.25), '2.3'],
    [rate(1234.5), '1,235'],
    [bytes(0), '0 B'],
    [bytes(1023), '1023 B'],
    [bytes(1536), '1.5 KiB'],
    [bytes(88 * 1024 ** 3), '88 GiB'],
    [bytes(null), '–'],
    [duration(0), '0 ms'],
    [duration(0.5), '0.5 ms'],
    [duration(99.7), '100 ms'],
    [duration(900), '900 ms'],
    [duration(61_000), '1 min 1 s'],
    [duration(3_600_000), '1 h'],
    [duration(90_061_000), '1 d 1 h'],
    [ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:30Z')), '5 min ago'],
    [ago(undefined), '–'],
    [ago('nonsense'), '–'],
    [many(1, 'check'), '1 check'],
    [many(2, 'check'), '2 checks'],
    [words('lastCommitMs'), 'last commit ms'],
    [words('event-loop'), 'event loop'],
  ])('%s', (shown, expected) => expect(shown).toBe(expected));

  it('names the day of a time that is not today', () => {
    const noon = new Date(2026, 4, 3, 12, 0, 0);
    expect(clock(noon.getTime(), noon.getTime() + 1)).toBe('12:00:00');
    expect(clock(noon.getTime(), noon.getTime() + 86_400_000)).toBe('2026-05-03 12:00:00');
  });
});
