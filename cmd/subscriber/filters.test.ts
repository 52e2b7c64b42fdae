import { describe, expect, it } from 'vitest';
import { UsageError } from '../cli/options/program.ts';
import { filtersOf, topicMatcher } from './filters.ts';

describe('filters', () => {
  it('are given, well formed, and each once', () => {
    expect(filtersOf(['a/#', 'b/+', 'a/#', '$share/g/c'])).toEqual(['a/#', 'b/+', '$share/g/c']);
    expect(() => filtersOf([])).toThrow(new UsageError('-topic is missing: what to subscribe to'));
    expect(() => filtersOf(['a', 'b/#/c'])).toThrow(
      new UsageError("-topic 'b/#/c': # must be the whole last level"),
    );
  });
});

describe('-match', () => {
  it.each<[string[], string, boolean]>([
    [[], 'any/thing', true],
    [['sensors/**/temp-{1..3}'], 'sensors/a/b/temp-2', true],
    [['sensors/**/temp-{1..3}'], 'sensors/temp-3', true],
    [['sensors/**/temp-{1..3}'], 'sensors/a/temp-4', false],
    [['*/door', '*/window'], 'kitchen/window', true],
    [['*/door', '*/window'], 'kitchen/roof/window', false],
    [['*'], '.hidden', true],
    [['!*/door'], 'kitchen/door', false],
  ])('%j and %s: %s', (globs, topic, expected) => {
    const matches = topicMatcher(globs);
    expect(matches(topic)).toBe(expected);
    expect(matches(topic)).toBe(expected);
  });

  it('answers rightly also after more topics than it remembers', () => {
    const matches = topicMatcher(['*-1*']);
    for (let number = 0; number < 10_050; number++) {
      expect(matches(`t-${number}`)).toBe(String(number).startsWith('1'));
    }
  });

  it('is wrong usage where it is no glob', () => {
    expect(() => topicMatcher([''])).toThrow(UsageError);
  });
});
