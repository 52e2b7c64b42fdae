import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveTopicOf, logNameOf, logNameProblem } from './names.ts';

describe('the log of a live topic', () => {
  it.each([
    ['sensors/temp', 'sensors.temp'],
    ['a.b', 'a.b'],
    ['a b/ü', 'a_b._'],
    ['/', '_'],
    ['//', '__'],
    ['///', '...'],
    ['.', '_'],
    ['..', '__'],
    ['/a/', '.a.'],
    ['Az09._-', 'Az09._-'],
    ['x'.repeat(300), 'x'.repeat(249)],
  ])('%s is %s', (topic, name) => {
    expect(logNameOf(topic)).toBe(name);
  });

  it('keeps what Kafka allows of each character, and no other', () => {
    for (let code = 1; code < 256; code++) {
      const character = String.fromCharCode(code);
      const allowed = /[A-Za-z0-9._-]/.test(character);
      expect(logNameOf(`x${character}`)).toBe(character === '/' ? 'x.' : allowed ? `x${character}` : 'x_');
    }
  });

  it('is always a name that a log may have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }), (topic) => {
        expect(logNameProblem(logNameOf(topic))).toBeUndefined();
      }),
    );
  });

  it('leads back to topics without a dot that Kafka could spell', () => {
    const level = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 10 }), (levels) => {
        const topic = levels.join('/');
        expect(liveTopicOf(logNameOf(topic))).toBe(topic);
      }),
    );
  });
});

describe('the name of a log', () => {
  it.each([
    ['', 'a log has a name'],
    ['.', 'a log is not called .'],
    ['..', 'a log is not called ..'],
    ['x'.repeat(250), "a log's name has at most 249 characters"],
    ['a/b', "a log's name has letters, digits, '.', '_' and '-'"],
    ['a\n', "a log's name has letters, digits, '.', '_' and '-'"],
    ['ä', "a log's name has letters, digits, '.', '_' and '-'"],
  ])('is not %j', (name, problem) => {
    expect(logNameProblem(name)).toBe(problem);
  });

  it.each(['a', '...', 'x'.repeat(249), 'sensors.temp_1-b'])('may be %j', (name) => {
    expect(logNameProblem(name)).toBeUndefined();
  });
});
