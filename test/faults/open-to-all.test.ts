import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { type ProgramName, program, run, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

/*
 * `broker -address :1883`, and `dashmq` and `smq` by default, let everybody in on all addresses of the machine without
 * one word about it.
 */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-open-'));
afterAll(() => rmSync(folder, { recursive: true }));

const EVENT = '"event":"open-to-all"';
const LINE = /^Everybody who reaches \S+ may read and write everything\.$/gm;

async function started(name: ProgramName, args: readonly string[]): Promise<{ out: string; errors: string }> {
  const running = start(program(name), args, { cwd: folder });
  await eventually(
    () => running.stdout().includes('Ctrl-C') || running.child.exitCode !== null,
    'the banner',
  );
  running.child.kill('SIGTERM');
  const { code, stdout, stderr } = await running.ended;
  expect(code, stderr).toBe(0);
  return { out: stdout, errors: stderr };
}

describe('a listener that everybody reaches and nobody guards is said at the start', () => {
  it.each<[ProgramName, string[], string[]]>([
    ['broker', ['-address', ':0', '-allow-anonymous'], ['frames']],
    [
      'broker',
      ['-allow-anonymous', '-listen', 'ws://0.0.0.0:0', '-kafka', ':0', '-grpc', ':0', '-memory'],
      ['frames', 'kafka', 'grpc'],
    ],
    ['broker', ['-address', ':0', '-refuse-filter', 'a', '-allow-anonymous'], ['frames']],
    ['dashmq', ['-port', '0', '-memory'], ['kafka']],
    ['smq', ['-port', '0'], ['grpc']],
  ])('%s %j', async (name, args, doors) => {
    const { out, errors } = await started(name, args);
    const told = errors.split('\n').filter((line) => line.includes(EVENT));
    expect(told.map((line) => JSON.parse(line))).toMatchObject(
      doors.map((door) => ({ level: 'warn', door })),
    );
    expect(out.match(LINE)).toHaveLength(doors.length);
  });
});

describe('a broker without users does not open to everybody', () => {
  it.each<[ProgramName, string[], string]>([
    ['broker', ['-address', ':0'], 'tcp://:0'],
    ['broker', ['-listen', 'ws://[::]:0,tcp://127.0.0.1:0', '-memory'], 'ws://[::]:0'],
    ['broker', ['-kafka', '0.0.0.0:0', '-grpc', ':0'], 'tcp://0.0.0.0:0 and tcp://:0'],
    ['dashmq', ['-port', '0', '-memory', '-allow-anonymous=false'], 'tcp://0.0.0.0:0'],
    ['smq', ['-port', '0', '-allow-anonymous=false'], 'tcp://:0'],
  ])('%s %j', async (name, args, urls) => {
    const { code, stderr, stdout } = await run(program(name), args, { cwd: folder });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${name}: ${urls} would be open to everybody who reaches this machine`);
    expect(stderr).toContain('Add users (tinymq users add NAME, or -users FILE)');
    expect(stderr).toContain('-allow-anonymous');
  });
});

describe('no word is said of', () => {
  it.each<[ProgramName, string[]]>([
    ['broker', ['-address', 'localhost:0', '-kafka', '127.0.0.1:0', '-grpc', '[::1]:0', '-memory']],
    ['broker', ['-address', '127.1:0', '-allow-anonymous']],
    ['dashmq', ['-host', 'localhost', '-port', '0', '-memory']],
  ])('%s %j', async (name, args) => {
    const { out, errors } = await started(name, args);
    expect(errors).not.toContain(EVENT);
    expect(out).not.toMatch(LINE);
  });

  it('broker that asks for certificates', async () => {
    const { ca, serverCert, serverKey } = await makeCertificates(folder);
    const args = ['-address', ':0', '-tls-cert', serverCert, '-tls-key', serverKey, '-tls-ca', ca];
    expect((await started('broker', args)).errors).not.toContain(EVENT);
  });
});
