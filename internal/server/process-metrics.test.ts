import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { EventLoopDelay } from './event-loop-delay.ts';
import { FolderBytes } from './folder-bytes.ts';

it('the files of folders, and of those below them, are counted in the background', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'below'));
  writeFileSync(join(folder, 'one'), Buffer.alloc(1_000));
  writeFileSync(join(folder, 'below', 'two'), Buffer.alloc(500));
  const files = new FolderBytes([folder, join(folder, 'nothing')]);
  expect(files.read()).toBeNaN();
  expect(await eventually(() => !Number.isNaN(files.read()) && files.read(), 'the size')).toBe(1_500);
});

// Every reader began a new time, so that $SYS took the worst delay from whoever else measured.
it('a delay of the event loop is told to each reader of its time', async () => {
  const delay = new EventLoopDelay();
  onTestFinished(() => delay.close());
  delay.read();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const until = performance.now() + 300;
  while (performance.now() < until);
  await eventually(() => delay.read().max > 0.2, 'the delay');
  expect(delay.read().max).toBeGreaterThan(0.2);
  expect(delay.read().p50).toBeLessThanOrEqual(delay.read().max);
});
