import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { program, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-live-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BEFORE = 'listen: tcp://127.0.0.1:0\nmemory: true\nlog: { format: json }\n';

it('change on SIGHUP where they can, the others are named, and a file with faults changes nothing', async () => {
  const file = join(folder, 'tinymq.yaml');
  writeFileSync(file, BEFORE);
  const { child, stdout, stderr, ended } = start(program('broker'), ['-config', file]);
  await eventually(() => stdout().includes('Ctrl-C'), 'the banner');
  const reread = async (content: string, line: string) => {
    writeFileSync(file, content);
    child.kill('SIGHUP');
    await eventually(() => stderr().includes(line), line);
  };
  await reread(`${BEFORE}max-clents: 5\n`, `tinymq.yaml:4:1: 'max-clents' is not an option of broker`);
  await reread(
    `${BEFORE}max-clients: 5\n`,
    '"settings":["max-clients"],"msg":"settings that have changed hold',
  );
  await reread(`${BEFORE}stats: 100ms\n`, '"settings":["stats"],"msg":"settings have changed"');
  await eventually(() => stderr().includes('"msg":"rates"'), 'the counters');
  const silent = BEFORE.replace('json', 'json, level: warn');
  await reread(`${silent}session: { queue: 5 }\n`, '"settings":["session.queue"]');
  const before = stderr().length;
  await reread(`${silent}stats: 100ms\nsession: { expiry: 5 }\n`, '"settings":["session.expiry"]');
  expect(stderr().slice(before)).not.toContain('"level":"info"');
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});
