import { expect, it } from 'vitest';
import { acceptedEncodings } from './accepted-encodings.ts';

it.each([
  [undefined, []],
  ['', []],
  ['gzip, deflate, br, zstd', ['gzip', 'deflate', 'br', 'zstd']],
  ['GZIP;q=0.5 , br ; q=1', ['gzip', 'br']],
  ['br;q=0, gzip;q=0.000', []],
  ['x-gzip', ['gzip']],
  ['*', []],
  ['br;level=3;q=0.1', ['br']],
])('%j names %j', (header, expected) => {
  const named = acceptedEncodings(header);
  expect([...named].filter((name) => name !== '' && name !== '*')).toEqual(expected);
});
