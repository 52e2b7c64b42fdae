import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { program, run, start } from '../../test/support/broker-process.ts';
import { eventually } from '../../test/support/eventually.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-dashmq-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('serves Kafka clients where its flags say, and ends when it is told to', async () => {
  const dataDir = join(folder, 'data');
  const args = ['-host', '127.0.0.1', '-port', '0', '-data-dir', dataDir, '-log-level', 'warn'];
  const { child, stdout, ended } = start(program('dashmq'), args);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await eventually(() => isOver || stdout().includes('Ctrl-C'), 'the line that ends the banner');
  expect(stdout()).toMatch(/ tcp:\/\/127\.0\.0\.1:\d+ {2}for Kafka clients\n/);
  expect(readdirSync(dataDir)).toContain('tinymq.db');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, signal: null, stderr: '' });
});

it.each([
  [['-port', 'nine'], 2, /^dashmq: .*-port.*\(see dashmq -help\)\n$/],
  [['/nowhere/server.properties'], 2, /^dashmq: .*\/nowhere\/server\.properties.*\n$/],
])('says in one line what is wrong with %j', async (args, code, stderr) => {
  expect(await run(program('dashmq'), [...args])).toMatchObject({
    code,
    stdout: '',
    stderr: expect.stringMatching(stderr),
  });
});
