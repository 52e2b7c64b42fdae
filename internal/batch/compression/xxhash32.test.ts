import { expect, it } from 'vitest';
import { xxhash32 } from './xxhash32.ts';

// The published values for seed 0; the last one is long enough for all four lanes.
it.each([
  ['', 0x02cc_5d05],
  ['a', 0x550d_7456],
  ['abc', 0x32d1_53ff],
  ['Nobody inspects the spammish repetition', 0xe229_3b2f],
])('xxHash32 of %j', (text, expected) => {
  const padded = new TextEncoder().encode(`>${text}<`);
  expect(xxhash32(padded, 1, padded.length - 1)).toBe(expected);
});
