import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { program, run, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { appendTexts, openLogs } from '../support/logs.ts';
import { connectRaw } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-flags-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function newFolder(): string {
  return join(folder, String(++folders));
}

/** The broker with a log for each topic. */
function started(...flags: string[]) {
  return startBrokerProcess(['-address', 'localhost:0', '-log', '#', ...flags]);
}

/** A folder with the log of topic `a`: texts, and how old they are. */
async function filled(texts: readonly (readonly [text: string, ageMs: number])[]): Promise<string> {
  const directory = newFolder();
  const store = new SqliteStore({ directory, fsync: 'os' });
  const { logs } = await openLogs({ retentionMs: 0 }, store);
  const topic = await logs.createTopic('a', 1, {});
  for (const [text, ageMs] of texts) await appendTexts(topic, [text], { timestamp: Date.now() - ageMs });
  await logs.close();
  return directory;
}

/** What topic `a` has from its beginning on; the last text is the one that is published for this. */
async function kept(url: string): Promise<string[]> {
  await using client = await connectRaw(url, 'reading');
  const end = `end ${performance.now()}`;
  client.publish('a', end);
  await client.subscribe('$replay/earliest/a');
  const texts: string[] = [];
  while (texts.at(-1) !== end) texts.push((await client.message())[1]);
  return texts.filter((text) => !text.startsWith('end '));
}

/** The oldest text of a topic. */
async function oldest(url: string, topic: string): Promise<string> {
  await using client = await connectRaw(url, 'looking');
  await client.subscribe(`$replay/earliest/${topic}`);
  return (await client.message())[1];
}

describe('-memory', () => {
  it('keeps messages as long as the broker runs, and writes no file', async () => {
    const dataDir = newFolder();
    const flags = ['-memory', '-data-dir', dataDir];
    {
      await using broker = await started(...flags);
      await using publisher = await connectRaw(broker.url, 'publisher');
      for (const text of ['1', '2']) publisher.publish('a', text);
      await publisher.ping();
      expect(await kept(broker.url)).toEqual(['1', '2']);
      expect((await broker.stop()).code).toBe(0);
    }
    expect(existsSync(dataDir)).toBe(false);
    await using broker = await started(...flags);
    expect(await kept(broker.url)).toEqual([]);
  });
});

describe('-data-dir', () => {
  it('is where the store lies, for its owner only', async () => {
    const dataDir = join(newFolder(), 'deep');
    await using broker = await started('-data-dir', dataDir);
    expect(await kept(broker.url)).toEqual([]);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'tinymq.db')).mode & 0o077).toBe(0);
  });

  it('of another broker that runs is refused', async () => {
    const dataDir = newFolder();
    await using broker = await started('-data-dir', dataDir);
    const ended = await run(program('broker'), [
      '-address',
      'localhost:0',
      '-log',
      '#',
      '-data-dir',
      dataDir,
    ]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`${dataDir} is in use by another broker (process ${broker.pid})`);
  });
});

describe('-fsync', () => {
  it.each(['commit', 'os'])('%s keeps what was seen through the end of the broker', async (fsync) => {
    const dataDir = newFolder();
    {
      await using broker = await started('-data-dir', dataDir, '-fsync', fsync);
      await using publisher = await connectRaw(broker.url, 'publisher');
      for (const text of ['1', '2', '3']) publisher.publish('a', text);
      await publisher.ping();
      expect(await kept(broker.url)).toEqual(['1', '2', '3']);
      await broker.stop('SIGKILL');
    }
    await using broker = await started('-data-dir', dataDir, '-fsync', fsync);
    expect(await kept(broker.url)).toEqual(['1', '2', '3']);
  });

  it('is nothing else', async () => {
    const ended = await run(program('broker'), ['-log', '#', '-fsync', 'sometimes']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('-fsync');
  });
});

describe('-log-retention', () => {
  const texts = [
    ['eight days', 8 * DAY_MS],
    ['six days', 6 * DAY_MS],
    ['two hours', 2 * HOUR_MS],
    ['now', 0],
  ] as const;

  it.each([
    [[], ['six days', 'two hours', 'now']],
    [['-log-retention', '1h'], ['now']],
  ])('by %j deletes what is older', async (flags, left) => {
    const dataDir = await filled(texts);
    await using broker = await started('-data-dir', dataDir, ...flags);
    await eventually(async () => (await oldest(broker.url, 'a')) === left[0], 'the end of old messages');
    expect(await kept(broker.url)).toEqual(left);
    await broker.stop();
    await using again = await started('-data-dir', dataDir, '-log-retention', '0');
    expect(await kept(again.url)).toEqual(left);
  });

  it('0 keeps everything', async () => {
    const dataDir = await filled(texts);
    {
      // Which rounds there were is seen by the messages of the other log that are too much.
      const store = new SqliteStore({ directory: dataDir, fsync: 'os' });
      const { logs } = await openLogs({}, store);
      const other = await logs.createTopic('b', 1, {});
      for (let count = 0; count < 3; count++) await appendTexts(other, [String(count).padEnd(10_000)]);
      await logs.close();
    }
    const flags = ['-log-retention', '0', '-log-retention-bytes', '20KB'];
    await using broker = await started('-data-dir', dataDir, ...flags);
    await eventually(async () => !(await oldest(broker.url, 'b')).startsWith('0'), 'a round of retention');
    expect(await kept(broker.url)).toEqual(texts.map(([text]) => text));
  });
});

describe('-log-retention-bytes', () => {
  it('keeps the newest of each log', async () => {
    const text = (number: number) => String(number).padEnd(1000, '.');
    const dataDir = await filled(Array.from({ length: 20 }, (_, number) => [text(number), 0] as const));
    await using broker = await started('-data-dir', dataDir, '-log-retention-bytes', '8KB');
    await eventually(async () => (await oldest(broker.url, 'a')) !== text(0), 'the end of the oldest');
    const left = await kept(broker.url);
    expect(left.length).toBeGreaterThan(5);
    expect(left.length).toBeLessThan(8);
    expect(left.at(-1)).toBe(text(19));
  });

  it.each(['-1', 'much'])('is not %s', async (size) => {
    const ended = await run(program('broker'), ['-log', '#', `-log-retention-bytes=${size}`]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('-log-retention-bytes');
  });
});
