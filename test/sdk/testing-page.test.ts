import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../support/broker-process.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

it('docs/testing.md shows tests that pass as they stand there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-testing-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [tests, app] = codeBlocks(readFileSync(join(checkout, 'docs/testing.md'), 'utf8'));
  writeFileSync(join(folder, 'thermometer.test.ts'), tests!);
  writeFileSync(join(folder, 'thermometer.js'), app!);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(checkout, join(folder, 'node_modules/tinymq'));
  symlinkSync(join(checkout, 'node_modules/vitest'), join(folder, 'node_modules/vitest'));
  const vitest = join(checkout, 'node_modules/vitest/vitest.mjs');
  const ended = await run(process.execPath, [vitest, 'run', '--reporter=json'], {
    cwd: folder,
    // A run within a run takes nothing over from the outer one.
    env: { VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined },
  });
  expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ success: true, numPassedTests: 4, numTotalTests: 4 });
});

function codeBlocks(page: string): string[] {
  return [...page.matchAll(/^```[jt]s\n(.*?)^```$/gms)].map(([, code]) => code!);
}
