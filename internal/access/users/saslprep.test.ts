import { describe, expect, it } from 'vitest';
import { prepared } from './saslprep.ts';

describe('SASLprep', () => {
  it.each([
    // RFC 4013, section 3.
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    // The same letter, however it was composed.
    ['Zu\u0308rich', 'Z\u00fcrich'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['\u0627\u0628\u0629', '\u0627\u0628\u0629'],
    ['😀', '😀'],
    ['', ''],
  ])('makes %j into %j', (text, expected) => {
    expect(prepared(text)).toBe(expected);
    expect(prepared(expected)).toBe(expected);
  });

  it.each([
    '\u0007',
    'a\nb',
    '\u06271',
    '\ue000',
    '\ufdd0',
    '\ud800',
    'a\u202eb',
    '\u0627a\u0628',
    '\u{e0041}',
  ])('forbids %j', (text) => {
    expect(prepared(text)).toBeUndefined();
  });
});
