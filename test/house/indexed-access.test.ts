import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Rooms in which what an index finds may be undefined for the compiler, so that a `!` behind one means that somebody looked. In
 * the others most indexes are those of bytes (protocols, batches, stores, checksums), where it would stand behind every one.
 */
const CHECKED = [
  /^internal\/(groups|live|log|observe|persistence|server)\//,
  /^internal\/broker\/(retained|routing|sessions)\//,
  /^internal\/broker\/[a-z-]+\.ts/,
  /^internal\/doors\/(clients|kafka|mqtt|sys)\//,
  /^internal\/doors\/[a-z-]+\.ts/,
];

// tsc has the option for a whole program only.
it('an index may find nothing, for the compiler too', async () => {
  const args = ['--noEmit', '--pretty', 'false', '--noUncheckedIndexedAccess'];
  const { stdout } = await promisify(execFile)(`${root}node_modules/.bin/tsc`, args, {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((failed: { stdout: string }) => failed);
  const lines = stdout.split('\n').filter((line) => !/\.test\.ts\(/.test(line));
  expect(lines.filter((line) => CHECKED.some((room) => room.test(line)))).toEqual([]);
}, 300_000);
