import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const collector = JSON.stringify(new URL('collector.ts', import.meta.url).href);

async function saidBy(program: string): Promise<string> {
  const args = ['--no-warnings', '--input-type=module', '--eval', program];
  return (await promisify(execFile)(process.execPath, args)).stderr;
}

// Buffers of reads lie outside of the heap, and V8 looked through all of it for each 64 MiB of them.
test('collects what is young and dead without a look at the whole heap, and leaves no function for that behind', async () => {
  const program = `
    import { GCProfiler } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    const { collectYoung } = await import(${collector});
    const profiler = new GCProfiler();
    profiler.start();
    for (let index = 0; index < 3; index++) {
      new ArrayBuffer(2 ** 20);
      collectYoung();
    }
    const kinds = profiler.stop().statistics.map(({ gcType }) => gcType);
    console.error(kinds.join(), typeof gc, runInNewContext('typeof gc'));`;
  expect(await saidBy(program)).toBe('Scavenge,Scavenge,Scavenge undefined undefined\n');
});

test('this V8 knows what it is told; one that does not would say so', async () => {
  expect(await saidBy(`(await import(${collector})).collectLessOften()`)).toBe('');
  expect(await saidBy(`import v8 from 'node:v8'; v8.setFlagsFromString('--no-such-flag')`)).not.toBe('');
});
