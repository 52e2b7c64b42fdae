import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataFolderStore } from '../../internal/store/data-folder/data-folder-store.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { program, REPORTING, start } from '../support/broker-process.ts';
import { damageInDataFolder } from '../support/data-folder.ts';
import { eventually } from '../support/eventually.ts';
import { FailingDisk, prepareFailingDisk } from '../support/failing-disk.ts';
import { contentOf, makeOlderFolder } from '../support/older-folder.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/* Logs of an older format, which the first start copies into segment files (docs/upgrade.md). */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-conversion-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(prepareFailingDisk);
let folders = 0;

function copyOf(from: string): string {
  const to = join(folder, String(++folders));
  cpSync(from, to, { recursive: true });
  return to;
}

async function contentBefore(directory: string): Promise<unknown> {
  const store = new SqliteStore({ directory: copyOf(directory), fsync: 'os' });
  const content = await contentOf(store, await store.open());
  await store.close();
  return content;
}

/** Opens a folder, which converts it if it is not. */
async function contentAfter(directory: string, segmentBytes?: number): Promise<unknown> {
  const store = new DataFolderStore({ directory, fsync: 'os', segmentBytes });
  const content = await contentOf(store, await store.open());
  await store.close();
  return content;
}

describe('the disk fails while logs are converted', () => {
  const older = join(folder, 'small');
  let before: unknown;
  let calls: number[];

  beforeAll(async () => {
    await makeOlderFolder(older, { topics: 2, batches: 8, batchBytes: 400 });
    before = await contentBefore(older);
    const directory = copyOf(older);
    using disk = new FailingDisk(directory);
    expect(await contentAfter(directory, 1_000)).toEqual(before);
    const all = disk.writes.map((_, number) => number);
    // From the first to the last, or all of them.
    const every = rounds(1) > 1 ? 1 : Math.ceil(all.length / 8);
    calls = [...all.filter((number) => number % every === 0), all.length - 1];
  }, torturePatienceMs(120_000));

  it('at any call: nothing is lost, and the next start ends it', {
    timeout: torturePatienceMs(240_000) * rounds(1, 10),
  }, async () => {
    for (const number of calls) {
      const error = number % 2 === 0 ? 'EIO' : 'ENOSPC';
      const directory = copyOf(older);
      using disk = new FailingDisk(directory);
      disk.failFrom(number, error);
      const store = new DataFolderStore({ directory, fsync: 'os', segmentBytes: 1_000 });
      // What fails behind the copy is tried again while the store is open, or by the next start.
      await store.open().catch(() => {});
      const crashed = copyOf(directory);
      disk.mend();
      await store.close().catch(() => {});
      // As a crash in that moment leaves it, or an orderly end.
      const left = Math.floor(number / 2) % 2 === 0 ? crashed : directory;
      const where = `${error} at call ${number}: ${JSON.stringify(disk.writes[number])}`;
      expect(await contentAfter(left, 1_000), where).toEqual(before);
      expect(readdirSync(left), where).not.toContain('logs.converting');
      expect(await damageInDataFolder(left), where).toEqual([]);
    }
  });
});

const LARGE = { topics: 3, batches: 120, batchBytes: 64_000 };
const LARGE_BYTES = LARGE.topics * 2 * LARGE.batches * LARGE.batchBytes;

describe('a broker that is killed while it converts logs', () => {
  const flags = (data: string) => [
    ...['-address', 'localhost:0', '-kafka', 'localhost:0', '-keep-for', '0', '-data-dir', data],
    ...REPORTING,
  ];

  /** Starts a broker, and kills it when it has copied so many bytes. @returns whether it listened before. */
  async function killed(data: string, bytes: number): Promise<boolean> {
    const before = copiedBytes(data);
    const running = start(program('broker'), flags(data));
    const isListening = () => running.stdout().includes('\n');
    await eventually(
      () => isListening() || running.child.exitCode !== null || copiedBytes(data) - before >= bytes,
      'a copy that grows',
    );
    const isDone = isListening();
    running.child.kill('SIGKILL');
    await running.ended;
    return isDone;
  }

  /** Of the copy that is not whole. */
  function copiedBytes(data: string): number {
    const making = join(data, 'logs.converting');
    if (!existsSync(making)) return 0;
    return readdirSync(making, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.startsWith('topic') && name.endsWith('.log'))
      .reduce((sum, name) => sum + (statSync(join(making, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  it(
    'again and again goes on each time, loses nothing, has nothing twice, and comes to an end',
    async () => {
      const older = join(folder, 'large');
      await makeOlderFolder(older, LARGE);
      const before = await contentBefore(older);
      for (let round = 0; round < rounds(2); round++) {
        const data = copyOf(older);
        let kills = 0;
        // As by a probe that gives each start the same time: none of them would come to the end if it began anew.
        while (!(await killed(data, LARGE_BYTES / 12 + Math.random() * (LARGE_BYTES / 6)))) kills++;
        expect(existsSync(join(data, 'logs'))).toBe(true);
        expect(await contentAfter(data), `after ${kills} kills`).toEqual(before);
        expect(await damageInDataFolder(data), `after ${kills} kills`).toEqual([]);
        rmSync(data, { recursive: true });
      }
    },
    torturePatienceMs(240_000),
  );
});
