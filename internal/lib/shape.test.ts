import { describe, expect, it } from 'vitest';
import {
  checked,
  isCount,
  isFlag,
  isText,
  jsonAs,
  listOf,
  objectOf,
  oneOf,
  optional,
  tableOf,
  within,
} from './shape.ts';

const isPlace = objectOf<{ name: string; at: number; isFar?: boolean | undefined }>({
  ...{ name: isText, at: isCount, isFar: optional(isFlag) },
});

describe('shapes', () => {
  it('tell an object with all its fields from anything else', () => {
    expect(isPlace({ name: '', at: 0 })).toBe(true);
    expect(isPlace({ name: '', at: 0, isFar: false, another: 1 })).toBe(true);
    const others = [
      null,
      undefined,
      5,
      'x',
      [],
      {},
      { name: '' },
      { name: '', at: null },
      { name: 1, at: 1 },
    ];
    const more = [
      { name: '', at: 0, isFar: null },
      { name: '', at: -1 },
      { name: '', at: 0.5 },
      [{ name: '', at: 0 }],
    ];
    for (const other of [...others, ...more]) expect(isPlace(other)).toBe(false);
  });

  it('tell numbers that somebody counts to from others', () => {
    for (const number of [0, 1, 2 ** 53 - 1]) expect(isCount(number)).toBe(true);
    for (const other of [-1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 0.1, '1', 1n])
      expect(isCount(other)).toBe(false);
    expect([0, 1, 2, 3].map(within(1, 2))).toEqual([false, true, true, false]);
  });

  it('look into lists and tables', () => {
    expect(listOf(isText)([])).toBe(true);
    expect(listOf(isText)(['a', 'b'])).toBe(true);
    for (const other of [{}, { length: 0 }, 'ab', ['a', 1], [undefined]])
      expect(listOf(isText)(other)).toBe(false);
    expect(tableOf(isText)({ a: 'b' })).toBe(true);
    for (const other of [[], null, { a: 1 }]) expect(tableOf(isText)(other)).toBe(false);
    expect(oneOf(new Set(['a', 'b']))('a')).toBe(true);
    expect(oneOf(new Set(['a', 'b']))('c')).toBe(false);
  });

  it('are what is read, or an error that says what was wanted', () => {
    expect(jsonAs(isPlace, Buffer.from('{"name":"a","at":1}'), 'a place')).toEqual({ name: 'a', at: 1 });
    expect(() => jsonAs(isPlace, Buffer.from('[]'), 'a place')).toThrow('it is not a place');
    expect(() => jsonAs(isPlace, Buffer.from('{'), 'a place')).toThrow(SyntaxError);
    expect(() => checked(isText, 5, 'a text')).toThrow(TypeError);
  });
});
