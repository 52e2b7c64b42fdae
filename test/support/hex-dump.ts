import { expect } from 'vitest';

const BYTES_PER_LINE = 16;
/** Lines that are shown before and after the first difference. */
const LINES_AROUND = 2;

/** Fails with both dumps around the first different byte, and a caret under it. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  const at = firstDifference(actual, expected);
  if (at === undefined) return;
  expect.fail(
    `byte ${at} differs (${actual.length} bytes instead of ${expected.length})\n\n` +
      `expected\n${dump(expected, at)}\n\nactual\n${dump(actual, at)}\n`,
  );
}

/** The lines of a hex dump around a byte, with a caret under it. */
export function dump(bytes: Uint8Array, at: number): string {
  const marked = Math.trunc(at / BYTES_PER_LINE);
  const lines: string[] = [];
  for (let line = Math.max(0, marked - LINES_AROUND); line <= marked + LINES_AROUND; line++) {
    const start = line * BYTES_PER_LINE;
    const some = bytes.subarray(start, start + BYTES_PER_LINE);
    if (some.length > 0 || line === marked) lines.push(dumpLine(start, some));
    if (line === marked) lines.push(`${' '.repeat(10 + 3 * (at - start))}^^`);
  }
  return lines.join('\n');
}

function dumpLine(start: number, bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const characters = Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '.');
  return `${start.toString(16).padStart(8, '0')}  ${digits.padEnd(3 * BYTES_PER_LINE)} ${characters}`;
}

function firstDifference(one: Uint8Array, other: Uint8Array): number | undefined {
  const longest = Math.max(one.length, other.length);
  for (let at = 0; at < longest; at++) if (one[at] !== other[at]) return at;
  return undefined;
}
