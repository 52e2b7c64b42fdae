import { crc32 as runtimeCrc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { crc32 } from './crc32.ts';

it.each([0, 9, 16_383, 16_384, 65_536, 300_001])('CRC-32 of %d bytes is that of the runtime', (length) => {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + (index >>> 8)) & 0xff);
  expect(crc32(bytes)).toBe(runtimeCrc32(bytes));
  expect(crc32(bytes, 0xfedc_ba98)).toBe(runtimeCrc32(bytes, 0xfedc_ba98));
});
