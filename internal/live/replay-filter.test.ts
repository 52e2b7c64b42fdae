import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReplay, parseReplay } from './replay-filter.ts';

const NOW_MS = Date.UTC(2024, 5, 1, 12);
const HOUR_MS = 3_600_000;

describe('a filter that asks for history', () => {
  it.each(['$replay', '$replay/', '$replay/earliest/a', '$replay/nonsense'])('%s', (filter) => {
    expect(isReplay(filter)).toBe(true);
  });

  it.each(['', 'a', '#', 'replay/earliest/a', '/$replay/earliest/a', '$replayed/a', '$share/g/a'])(
    'is not %j',
    (filter) => {
      expect(isReplay(filter)).toBe(false);
    },
  );
});

describe('a replay', () => {
  it.each([
    ['earliest/a', { kind: 'earliest' }, 'a'],
    ['latest/#', { kind: 'latest' }, '#'],
    ['0/+/b', { kind: 'offset', offset: 0 }, '+/b'],
    ['007/a', { kind: 'offset', offset: 7 }, 'a'],
    ['999999999999999/a', { kind: 'offset', offset: 999_999_999_999_999 }, 'a'],
    ['-1h/a/b/#', { kind: 'time', timeMs: NOW_MS - HOUR_MS }, 'a/b/#'],
    ['-90s/a', { kind: 'time', timeMs: NOW_MS - 90_000 }, 'a'],
    ['-30m/a', { kind: 'time', timeMs: NOW_MS - 0.5 * HOUR_MS }, 'a'],
    ['-1.5h/a', { kind: 'time', timeMs: NOW_MS - 1.5 * HOUR_MS }, 'a'],
    ['-7d/a', { kind: 'time', timeMs: NOW_MS - 7 * 24 * HOUR_MS }, 'a'],
    ['-0s/a', { kind: 'time', timeMs: NOW_MS }, 'a'],
    ['-0.0001s/a', { kind: 'time', timeMs: NOW_MS }, 'a'],
    ['-999999999d/a', { kind: 'time', timeMs: 0 }, 'a'],
    ['2024-06-01/a', { kind: 'time', timeMs: Date.UTC(2024, 5, 1) }, 'a'],
    ['2024-06-01T10:00Z/a', { kind: 'time', timeMs: Date.UTC(2024, 5, 1, 10) }, 'a'],
    ['2024-06-01T10:00:05.250Z/a', { kind: 'time', timeMs: Date.UTC(2024, 5, 1, 10, 0, 5, 250) }, 'a'],
    ['2024-06-01T10:00:00+02:00/a', { kind: 'time', timeMs: Date.UTC(2024, 5, 1, 8) }, 'a'],
    ['2024-06-01T10:00:00-02:00/a', { kind: 'time', timeMs: Date.UTC(2024, 5, 1, 12) }, 'a'],
    ['2024-02-29/a', { kind: 'time', timeMs: Date.UTC(2024, 1, 29) }, 'a'],
    ['earliest//a', { kind: 'earliest' }, '/a'],
    ['earliest/earliest/a', { kind: 'earliest' }, 'earliest/a'],
    ['earliest/a\nb', { kind: 'earliest' }, 'a\nb'],
  ])('%s', (text, start, filter) => {
    expect(parseReplay(`$replay/${text}`, NOW_MS)).toEqual({ start, filter });
  });

  const SHAPE = 'a replay is $replay/START/FILTER';
  const START = 'a replay starts at earliest, latest, an offset, a time ago such as -1h, or an ISO time';
  const BROKERS = 'a replay is not shared, and the topics of the broker have no history';
  it.each([
    ['$replay', SHAPE],
    ['$replay/', SHAPE],
    ['$replay/earliest', SHAPE],
    ['$replay/earliest/', SHAPE],
    ['$replay//a', SHAPE],
    ['$replay/Earliest/a', START],
    ['$replay/newest/a', START],
    ['$replay/-1/a', START],
    ['$replay/1.5/a', START],
    ['$replay/1e3/a', START],
    ['$replay/9999999999999999/a', START],
    ['$replay/-1w/a', START],
    ['$replay/-h/a', START],
    ['$replay/-1h30m/a', START],
    ['$replay/1h/a', START],
    ['$replay/--1h/a', START],
    ['$replay/ 1/a', START],
    ['$replay/2024/a', { start: { kind: 'offset', offset: 2024 }, filter: 'a' }],
    ['$replay/2024-06/a', START],
    ['$replay/2024-02-30/a', START],
    ['$replay/2024-13-01/a', START],
    ['$replay/2024-06-01T25:00Z/a', START],
    ['$replay/2024-06-01T10/a', START],
    ['$replay/2024-06-01 (yesterday)/a', START],
    ['$replay/+/a', START],
    ['$replay/#', SHAPE],
    ['$replay/earliest/a#', '# must be the whole last level'],
    ['$replay/earliest/a+', '+ must be a whole level'],
    ['$replay/earliest/#/a', '# must be the whole last level'],
    ['$replay/earliest/a\0', 'a filter has no NUL byte'],
    ['$replay/earliest/$share/g/a', BROKERS],
    ['$replay/earliest/$SYS/#', BROKERS],
    ['$replay/earliest/$replay/earliest/a', BROKERS],
  ])('%j is refused with a reason', (filter, answer) => {
    expect(parseReplay(filter, NOW_MS)).toEqual(answer);
  });

  it('is taken apart or refused with a text, whatever it is', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('$replay/', 'earliest', '-1h', '/', '2024-01-01', '#'),
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const answer = parseReplay(`$replay/${parts.join('')}`, NOW_MS);
        if (typeof answer === 'string') return;
        const { start } = answer;
        if (start.kind === 'time') expect(Number.isSafeInteger(start.timeMs)).toBe(true);
        if (start.kind === 'offset') expect(Number.isSafeInteger(start.offset)).toBe(true);
      }),
    );
  });
});
