import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../certs/make.ts';
import { brokerProgram } from '../cmd/broker/flags.ts';
import { withFlagsTables } from '../cmd/cli/options/flags-table.ts';
import { text, toggle } from '../cmd/cli/options/option.ts';
import { dashmqProgram } from '../cmd/dashmq/flags.ts';
import { publisherProgram } from '../cmd/publisher/flags.ts';
import { SMQ_FLAGS } from '../cmd/smq/flags.ts';
import { subscriberProgram } from '../cmd/subscriber/flags.ts';
import { printed, Terminals, type Typed } from './support/terminals.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const tour = [...readme.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1].trimEnd().split('\n'));
/** Debian's package mosquitto-clients; what needs it is left out where it is not installed. */
const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;
const hasCurl = spawnSync('curl', ['--version']).error === undefined;
const runnable = tour.filter(
  (lines) =>
    (hasMosquitto || !lines.join().includes('mosquitto_')) && (hasCurl || !lines.join().includes('curl ')),
);
const folder = mkdtempSync(join(tmpdir(), 'tinymq-readme-'));

beforeAll(async () => {
  await makeCertificates(join(folder, 'certs/out'));
  cpSync(join(root, 'README.md'), join(folder, 'README.md'));
  symlinkSync(join(root, 'docs'), join(folder, 'docs'));
  return () => rmSync(folder, { recursive: true });
});

// A session or a retained message of one part of the tour made the next one go on before its subscriber was there, or end
// with what it had not sent.
afterEach(() => rmSync(join(folder, 'data'), { recursive: true, force: true }));

describe('docs/flags.md', () => {
  it('has every flag of every program (npx vitest -u writes them anew)', async () => {
    const page = readFileSync(join(root, 'docs/flags.md'), 'utf8');
    const { host, port } = dashmqProgram.options;
    const programs = [
      brokerProgram,
      publisherProgram,
      subscriberProgram,
      { ...dashmqProgram, options: { host, port } },
      smqProgram(),
    ];
    await expect(withFlagsTables(page, programs)).toMatchFileSnapshot('../docs/flags.md');
  });
});

describe('the README', () => {
  it('has ten flags as the broker has them (npx vitest -u writes them anew)', async () => {
    await expect(withFlagsTables(readme, [brokerProgram])).toMatchFileSnapshot('../README.md');
    expect(readme.match(/^\| `-/gm)).toHaveLength(10);
  });

  it('shows the commands that exist', () => {
    for (const [, target] of readme.matchAll(/^ {4}make (\w+)/gm)) {
      expect(readFileSync(join(root, 'Makefile'), 'utf8')).toMatch(new RegExp(`^${target}:`, 'm'));
    }
  });

  it.each(runnable.map((lines) => [lines.join(' ⏎ '), lines] as const))('runs: %s', async (_, lines) => {
    await using terminals = new Terminals(folder);
    for (const line of lines) await terminals.type(line);
    const [broker, ...others] = terminals.typed;
    const readers = others.filter(({ line }) => line.startsWith('subscriber'));
    await Promise.all(readers.map(finished));
    await Promise.all(others.map((other) => terminals.interrupt(other)));
    await terminals.interrupt(broker!);
  });
});

/** The flags of smq, which are read as Go reads them, in the form of the others. */
function smqProgram() {
  const options = Object.entries(SMQ_FLAGS).map(([name, { kind, variable, default: value, help }]) => {
    const shown = { group: 'SMQ', help, variable };
    if (kind === 'boolean')
      return [name, toggle({ ...shown, default: value === 'true' ? value : undefined })];
    return [name, text({ ...shown, default: value === '' ? undefined : value })];
  });
  return { name: 'smq', summary: '', options: Object.fromEntries(options), examples: [] };
}

/** A subscriber that counts ends by itself; another has got something by now. */
async function finished(reader: Typed): Promise<void> {
  if (reader.line.includes('-count')) expect(await reader.ended).toMatchObject({ code: 0 });
  else await printed(reader, 'Received on');
  if (reader.line.includes('-raw')) {
    expect(readFileSync(join(folder, 'received.bin'))).toEqual(readFileSync(join(folder, 'README.md')));
  }
}
