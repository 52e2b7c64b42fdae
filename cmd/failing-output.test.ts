import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ProgramName, program, run, start } from '../test/support/broker-process.ts';
import { eventually } from '../test/support/eventually.ts';

/*
 * Output on a full disk, or into a pipe whose reader has gone, ended every program with a stack trace of the runtime,
 * the help and the banner of a broker included. It is one line and exit code 1.
 */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-output-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FULL = 'cannot write to the standard output: the disk is full\n';

function lineOf(name: ProgramName, rest: string): string {
  return `'${program(name)}' ${rest}`;
}

function shell(line: string): ReturnType<typeof run> {
  return run('sh', ['-c', line], { cwd: folder });
}

describe.runIf(existsSync('/dev/full'))('on a full disk', () => {
  it.each<[ProgramName, string]>([
    ['broker', '-help'],
    ['publisher', '-help'],
    ['subscriber', '-version'],
    ['tinymq', '-help'],
    ['tinymq', 'topics create -help'],
    ['dashmq', '-help'],
    ['broker', '-address localhost:0 -log-level error'],
    ['broker', '-address localhost:0 -log-level error -json'],
    ['smq', '-port 0 -log-level error'],
    ['dashmq', '-host localhost -port 0 -memory -log-level error'],
  ])('%s %s is one line and exit code 1', async (name, rest) => {
    const { code, stderr } = await shell(`${lineOf(name, rest)} > /dev/full`);
    expect({ code, stderr: stderr.replace(/^Server .*\n/gm, '') }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^${name}(?: [a-z ]+)?: ${FULL}$`)),
    });
  });

  it('smq says its help on the standard error, whose failure is exit code 1 too', async () => {
    expect(await shell(`${lineOf('smq', '-help')} 2> /dev/full`)).toMatchObject({ code: 1, stderr: '' });
  });
});

it('in a closed pipe is one line and exit code 1', async () => {
  const line = `{ ${lineOf('broker', '-help')}; echo "code $?" >&2; } | true`;
  const { stderr } = await shell(line);
  expect(stderr).toBe('broker: cannot write to the standard output: nobody reads it any more\ncode 1\n');
});

/*
 * A broker opened the debugger of its runtime for everybody on the machine at SIGUSR1, and ended at SIGUSR2.
 */
it('signals without a meaning change nothing', async () => {
  const broker = start(program('broker'), ['-address', 'localhost:0', '-log-level', 'info']);
  await eventually(() => broker.stdout().includes('Ctrl-C'), 'the banner');
  broker.child.kill('SIGUSR1');
  broker.child.kill('SIGUSR2');
  broker.child.kill('SIGTERM');
  const { code, stderr } = await broker.ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain('ebugger');
});
