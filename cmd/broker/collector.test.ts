import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const collector = JSON.stringify(new URL('collector.ts', import.meta.url).href);

async function saidBy(program: string): Promise<string> {
  const args = ['--no-warnings', '--input-type=module', '--eval', program];
  return (await promisify(execFile)(process.execPath, args)).stderr;
}

test('this V8 knows what it is told; one that does not would say so', async () => {
  expect(await saidBy(`(await import(${collector})).collectLessOften()`)).toBe('');
  expect(await saidBy(`import v8 from 'node:v8'; v8.setFlagsFromString('--no-such-flag')`)).not.toBe('');
});
