import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonFaultOf } from './json-fault.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

it('finds a fault where the runtime does, and nowhere else', () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', ',', '"', '}', ']', ':', '\\', ' ', '\t', 'x', '0'),
      (text, at, put) => {
        expect(jsonFaultOf(text)).toBeUndefined();
        const start = at % (text.length + 1);
        const changed = text.slice(0, start) + put + text.slice(start + (put === '' ? 1 : 0));
        expect(jsonFaultOf(changed) === undefined, changed).toBe(isJson(changed));
      },
    ),
    { numRuns: 2_000 },
  );
});

it.each([
  ['', 0, 'a value'],
  ['{', 1, 'a key in quotation marks, or }'],
  ['{"a": 1,}', 8, 'a key in quotation marks'],
  ['{"a" 1}', 5, 'a colon'],
  ['{"a": 1 "b": 2}', 8, 'a comma or }'],
  ['[1 2]', 3, 'a comma or ]'],
  ['{"a": 01}', 7, 'a comma or }'],
  ["{'a': 1}", 1, 'a key in quotation marks, or }'],
  ['{"a": tru}', 6, 'a value'],
  ['{"a": "x\ny"}', 6, 'a value'],
  ['{} {}', 3, 'the end of the file'],
])('says of %j where it stops being JSON', (text, offset, expected) => {
  expect(jsonFaultOf(text)).toEqual({ offset, expected });
});

it('takes any depth', () => {
  expect(jsonFaultOf('['.repeat(100_000))).toMatchObject({ offset: 100_000 });
});
