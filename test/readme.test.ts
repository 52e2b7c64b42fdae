import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../certs/make.ts';
import { brokerProgram } from '../cmd/broker/flags.ts';
import { withFlagsTables } from '../cmd/cli/options/flags-table.ts';
import { text, toggle } from '../cmd/cli/options/option.ts';
import { dashmqProgram } from '../cmd/dashmq/flags.ts';
import { publisherProgram } from '../cmd/publisher/flags.ts';
import { SMQ_FLAGS } from '../cmd/smq/flags.ts';
import { subscriberProgram } from '../cmd/subscriber/flags.ts';
import { type Running, start } from './support/broker-process.ts';

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

  it('shows the commands that exist, and links to files that do', () => {
    for (const [, target] of readme.matchAll(/^ {4}make (\w+)/gm)) {
      expect(readFileSync(join(root, 'Makefile'), 'utf8')).toMatch(new RegExp(`^${target}:`, 'm'));
    }
    for (const [, path] of readme.matchAll(/\]\(([^)]+)\)/g)) expect(existsSync(join(root, path))).toBe(true);
  });

  it.each(runnable.map((lines) => [lines.join(' ⏎ '), lines] as const))('runs: %s', async (_, lines) => {
    const [broker, ...others] = lines.map(shell);
    const started: Running[] = [];
    try {
      started.push(broker());
      await printed(started[0], 'is listening on');
      for (const other of others) {
        const running = other();
        started.push(running);
        await subscribedOrPublished(running, started[0]);
      }
      const readers = started.filter(({ child }) => child.spawnargs.at(-1)!.startsWith('exec subscriber'));
      await Promise.all(readers.map(finished));
      await Promise.all(started.slice(1).map(stopped));
    } finally {
      for (const { child } of started.slice(1)) child.kill('SIGKILL');
      await stopped(started[0]);
    }
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

/** A line as a user types it, in a folder that looks like a checkout. The broker logs what it counts. */
function shell(line: string): () => Running {
  const counting = line.startsWith('broker') ? { TINYMQ_STATS: '100ms', TINYMQ_LOG_FORMAT: 'json' } : {};
  const env = { PATH: `${join(root, 'bin')}${delimiter}${process.env.PATH}`, NO_COLOR: '1', ...counting };
  return () => start('sh', ['-c', line.includes('|') ? line : `exec ${line}`], { cwd: folder, env });
}

/** @param others that must not end before. */
async function printed(running: Running, text: string, ...others: Running[]): Promise<void> {
  await vi.waitUntil(
    () => {
      for (const { child, stderr } of [running, ...others]) if (child.exitCode) throw new Error(stderr());
      return `${running.stdout()}${running.stderr()}`.includes(text);
    },
    { timeout: 30_000, interval: 20 },
  );
}

/** The next line may be typed. */
async function subscribedOrPublished(running: Running, broker: Running): Promise<void> {
  const line = running.child.spawnargs.at(-1)!;
  if (line.includes('subscriber') && line.includes('-from')) await finished(running);
  else if (line.includes('subscriber')) await printed(broker, '"subscriptions":1', running);
  else if (line.includes('-interval')) await printed(running, 'Published to');
  else expect(await running.ended).toMatchObject({ code: 0 });
}

/** A subscriber that counts ends by itself; another has got something by now. */
async function finished(reader: Running): Promise<void> {
  const line = reader.child.spawnargs.at(-1)!;
  if (line.includes('-count')) expect(await reader.ended).toMatchObject({ code: 0 });
  else await printed(reader, 'Received on');
  if (line.includes('-raw')) {
    expect(readFileSync(join(folder, 'received.bin'))).toEqual(readFileSync(join(folder, 'README.md')));
  }
}

async function stopped(running: Running): Promise<void> {
  if (running.child.exitCode === null) running.child.kill('SIGINT');
  expect(await running.ended).toMatchObject({ code: 0 });
}
