import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectMqtt } from '../mqtt/client.ts';
import { expectLiveTraffic } from '../mqtt/full-disk.ts';
import { program, REPORTING, start } from '../support/broker-process.ts';
import { damageInDataFolder } from '../support/data-folder.ts';
import { DOORS, KEPT } from '../support/door-writers.ts';
import { DoorsLoad } from '../support/doors-load.ts';
import { eventually } from '../support/eventually.ts';
import { type Refusal, RefusingDisk, whyNoRefusingDisk } from '../support/refusing-disk/refusing-disk.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Every call by which a broker changes a file of its data folder, those of SQLite too, is refused while all doors write: this call
 * and all behind it. What the logs alone do is tried call by call in failing-disk.test.ts.
 */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-refusing-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Fault = Pick<Refusal, 'call' | 'file'>;

/** Calls of a broker that takes messages. A write of the redo log lasts without a sync. */
const WORKING: readonly Fault[] = [
  { call: 'write', file: 'tinymq.db-wal' },
  { call: 'sync', file: 'tinymq.db-wal' },
  { call: 'write', file: 'logs/tinymq.redo' },
  { call: 'write', file: 'logs/*.log' },
  { call: 'write', file: 'logs/tinymq.journal' },
];
/** Calls of a store that failed and is opened again. */
const RECOVERING: readonly Fault[] = [
  { call: 'write', file: 'tinymq.db' },
  { call: 'sync', file: 'tinymq.db' },
  { call: 'truncate', file: 'tinymq.db-wal' },
  { call: 'sync', file: 'tinymq.db-wal' },
  { call: 'write', file: 'tinymq.db-wal' },
  { call: 'make', file: 'logs/tinymq.journal.tmp' },
  { call: 'write', file: 'logs/tinymq.journal.tmp' },
  { call: 'sync', file: 'logs/tinymq.journal.tmp' },
  { call: 'rename', file: 'logs/tinymq.journal' },
  { call: 'sync', file: 'logs' },
  { call: 'sync', file: 'logs/*.log' },
  { call: 'write', file: 'logs/tinymq.redo' },
];
/** Calls of a start after `kill -9`. */
const STARTING: readonly Fault[] = [
  { call: 'write', file: 'tinymq.db' },
  { call: 'sync', file: 'logs/tinymq.redo' },
  { call: 'write', file: 'tinymq.db-wal' },
  { call: 'make', file: 'lock-journal' },
  { call: 'write', file: 'lock.pid' },
  { call: 'truncate', file: 'tinymq.db-shm' },
  { call: 'write', file: 'tinymq.db-shm' },
  { call: 'sync', file: 'tinymq.db' },
  { call: 'truncate', file: 'tinymq.db' },
  { call: 'truncate', file: 'tinymq.db-wal' },
  { call: 'sync', file: 'tinymq.db-wal' },
  { call: 'write', file: 'logs/*.log' },
  { call: 'sync', file: 'logs/*.log' },
  { call: 'write', file: 'logs/tinymq.redo' },
  { call: 'write', file: 'logs/tinymq.journal' },
  { call: 'sync', file: 'logs/tinymq.journal' },
];
/** Calls of an orderly end. */
const ENDING: readonly Fault[] = [
  { call: 'write', file: 'tinymq.db' },
  { call: 'remove', file: 'logs/tinymq.redo' },
  { call: 'sync', file: 'tinymq.db-wal' },
  { call: 'sync', file: 'tinymq.db' },
  { call: 'remove', file: 'tinymq.db-wal' },
  { call: 'remove', file: 'tinymq.db-shm' },
];

/** All of them in a long run, with each error; otherwise the first ones. */
function occurring(faults: readonly Fault[], count: number, fsync = 'commit'): Refusal[] {
  const isLong = rounds(1) > 1;
  return faults
    .filter(({ call, file }) => fsync === 'commit' || !(call === 'sync' || file.endsWith('.redo')))
    .slice(0, isLong ? faults.length : count)
    .flatMap((fault, index) => {
      const errors = isLong ? (['EIO', 'ENOSPC'] as const) : ([index % 2 === 0 ? 'ENOSPC' : 'EIO'] as const);
      return errors.map((error) => ({ ...fault, error }));
    });
}

const whyNot = whyNoRefusingDisk();

describe.skipIf(whyNot !== undefined)(
  `a data folder on a disk that refuses${whyNot === undefined ? '' : ` (${whyNot})`}`,
  () => {
    it.each(rounds(1) > 1 ? (['commit', 'os'] as const) : (['commit'] as const))(
      'while all doors write (-fsync %s): nothing acknowledged is lost, nothing comes twice, it is told, and it goes on',
      async (fsync) => {
        const dataDir = newFolder();
        using disk = new RefusingDisk(dataDir);
        await using load = await DoorsLoad.start(flagsFor(dataDir, fsync), disk.env);
        for (const refusal of occurring(WORKING, 4, fsync)) await failAndMend(load, disk, refusal);
        for (const refusal of occurring(RECOVERING, 1, fsync)) await failTwice(load, disk, refusal);
        await endWell(load, dataDir);
      },
      torturePatienceMs(240_000),
    );

    it(
      'when a broker that was killed starts: it says why it ends, and the next one has all',
      async () => {
        const dataDir = newFolder();
        using disk = new RefusingDisk(dataDir);
        const flags = flagsFor(dataDir, 'commit');
        await using load = await DoorsLoad.start(flags, disk.env);
        for (const refusal of occurring(STARTING, 2)) {
          await load.untilAllGoOn();
          await load.kill();
          await startRefused(flags, disk, refusal);
          await load.startAgain();
        }
        await endWell(load, dataDir);
      },
      torturePatienceMs(240_000),
    );

    it(
      'when a broker ends in an orderly way: the next one has all',
      async () => {
        const dataDir = newFolder();
        using disk = new RefusingDisk(dataDir);
        await using load = await DoorsLoad.start(flagsFor(dataDir, 'commit'), disk.env);
        for (const refusal of occurring(ENDING, 1)) {
          await load.untilAllGoOn();
          disk.refuse(refusal);
          await load.stop();
          expect(disk.first, JSON.stringify(refusal)).toBeDefined();
          disk.mend();
          await load.startAgain();
        }
        await endWell(load, dataDir);
      },
      torturePatienceMs(240_000),
    );
  },
);

/** Refuses a call and all behind it until everybody has heard of it, and mends the disk. */
async function failAndMend(load: DoorsLoad, disk: RefusingDisk, refusal: Refusal): Promise<void> {
  const at = JSON.stringify(refusal);
  const told = load.broker.log().length;
  disk.refuse(refusal);
  await disk.refused();
  await load.untilAllRefused();
  await expectTold(load, told, refusal);
  await expectLive(load);
  disk.mend();
  await load.untilAllGoOn();
  await eventually(async () => (await load.readiness()).status === 200, `ready again after ${at}`);
}

/** Refuses a call of a store that failed and tries to go on, and all behind it. */
async function failTwice(load: DoorsLoad, disk: RefusingDisk, refusal: Refusal): Promise<void> {
  disk.refuse({ ...WORKING[0]!, error: refusal.error });
  await disk.refused();
  await load.untilAllRefused();
  disk.refuse(refusal);
  await disk.refused();
  await load.untilAllRefused();
  disk.mend();
  await load.untilAllGoOn();
  await eventually(
    async () => (await load.readiness()).status === 200,
    `ready after ${JSON.stringify(refusal)}`,
  );
}

/** Starts a broker, of which a call is refused. It may end, or go on without what it could not do. */
async function startRefused(flags: readonly string[], disk: RefusingDisk, refusal: Refusal): Promise<void> {
  const at = JSON.stringify(refusal);
  disk.refuse(refusal);
  const running = start(program('broker'), [...flags, ...REPORTING], { env: disk.env });
  try {
    await eventually(
      () => running.child.exitCode !== null || running.stdout().includes('\n'),
      `${at}: a start`,
    );
    expect(disk.first, at).toBeDefined();
    if (running.child.exitCode === null) return;
    expect(running.child.exitCode, at).toBe(1);
    expect(running.stderr(), at).toMatch(/^broker: .*(ENOSPC|EIO|disk)/m);
  } finally {
    running.child.kill('SIGKILL');
    await running.ended;
    disk.mend();
  }
}

/** Everything is there, and no file is damaged. */
async function endWell(load: DoorsLoad, dataDir: string): Promise<void> {
  await load.expectAll();
  expect((await load.broker.stop()).code).toBe(0);
  expect(await damageInDataFolder(dataDir)).toEqual([]);
}

async function expectTold(load: DoorsLoad, told: number, refusal: Refusal): Promise<void> {
  const at = JSON.stringify(refusal);
  const { status, text } = await load.readiness();
  expect({ status, text }, at).toMatchObject({ status: 503, text: expect.stringMatching(/store|disk/) });
  const problem = await eventually(
    () =>
      load.broker
        .log()
        .slice(told)
        .find(({ kind }) => kind === 'unavailable'),
    `a word of ${at}`,
  );
  // SQLite calls a sync that failed an error of the disk, whatever the system said.
  expect(problem.reason, at).toMatch(
    refusal.error === 'ENOSPC' ? /ENOSPC|full|disk I\/O error/ : /EIO|disk I\/O error/,
  );
}

/** Messages that nobody keeps go on. */
async function expectLive(load: DoorsLoad): Promise<void> {
  const [publisher, subscriber] = [
    await connectMqtt(load.broker.url, 5),
    await connectMqtt(load.broker.url, 5),
  ];
  await subscriber.subscribe('live');
  await expectLiveTraffic(publisher, subscriber);
  for (const client of [publisher, subscriber]) client.drop();
}

let folders = 0;

function newFolder(): string {
  const dataDir = join(folder, `${++folders}`);
  mkdirSync(dataDir);
  return dataDir;
}

function flagsFor(dataDir: string, fsync: string): string[] {
  return [...DOORS, ...KEPT, '-fsync', fsync, '-data-dir', dataDir];
}
