import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { tarOf } from './tar.ts';

const files = [
  { name: 'support/about.json', content: Buffer.from('{"a":1}\n') },
  { name: 'support/empty', content: Buffer.alloc(0) },
  { name: `${'n'.repeat(97)}/ü`.slice(0, 99), content: Buffer.alloc(512, 'x') },
  { name: 'support/large', content: Buffer.alloc(100_001, 'y') },
];

/** What the tar of this machine makes of an archive. */
function tar(args: string[], input: Buffer): Buffer {
  const { stdout, stderr, status } = spawnSync('tar', args, { input, maxBuffer: 1e7 });
  expect([status, stderr.toString()]).toEqual([0, '']);
  return stdout;
}

describe('an archive', () => {
  const archive = tarOf(files, Date.UTC(2026, 0, 2, 3, 4, 5));

  it('is listed by tar, with sizes, modes and times', () => {
    const listed = tar(['--utc', '--full-time', '-tvf', '-'], archive).toString().split('\n').slice(0, -1);
    expect(listed).toHaveLength(files.length);
    expect(listed[0]).toMatch(/^-rw------- 0\/0 +8 2026-01-02 03:04:05 support\/about\.json$/);
  });

  it('gives every file back', () => {
    for (const { name, content } of files)
      expect(tar(['-xOf', '-', name], archive).equals(content), name).toBe(true);
  });

  it('has no place for names that are too long or leave the folder', () => {
    expect(() => tarOf([{ name: 'x'.repeat(101), content: Buffer.alloc(0) }], 0)).toThrow(RangeError);
    expect(() => tarOf([{ name: '/etc/passwd', content: Buffer.alloc(0) }], 0)).toThrow(RangeError);
  });
});
