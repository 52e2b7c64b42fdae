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

interface Fault extends Pick<Refusal, 'call' | 'file'> {
  /** It is a call only where the redo log is read. */
  readonly isOfRedo?: true;
}

/** After each a start may find something else to do. */
const MOST_KILLS = 10;

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
  { call: 'write', file: 'logs/*.log', isOfRedo: true },
  { call: 'sync', file: 'logs/*.log' },
  { call: 'write', file: 'logs/tinymq.redo' },
  { call: 'write', file: 'logs/tinymq.journal', isOfRedo: true },
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

/** What is done while a call is refused, and how many of its calls `make test` tries. */
interface Moment {
  readonly when: string;
  readonly faults: readonly Fault[];
  readonly shortCount: number;
  readonly attempt: (load: DoorsLoad, disk: RefusingDisk, refusal: Refusal) => Promise<void>;
}

const MOMENTS: readonly Moment[] = [
  { when: 'while all doors write', faults: WORKING, shortCount: 4, attempt: failAndMend },
  {
    when: 'while a store that failed is opened again',
    faults: RECOVERING,
    shortCount: 1,
    attempt: failTwice,
  },
  { when: 'when a broker that was killed starts', faults: STARTING, shortCount: 2, attempt: failStart },
  { when: 'when a broker ends in an orderly way', faults: ENDING, shortCount: 1, attempt: failEnd },
];

interface Case extends Moment {
  readonly fsync: 'commit' | 'os';
  readonly refusals: readonly Refusal[];
  /** What of all is tried here. */
  readonly tried: string;
}

/** In a long run each call has a folder of its own, with both errors; otherwise the first ones share one. */
function casesOf(moment: Moment): Case[] {
  const { faults, shortCount } = moment;
  if (rounds(1) === 1) {
    const refusals = faults
      .slice(0, shortCount)
      .map((fault, index): Refusal => ({ ...fault, error: index % 2 === 0 ? 'ENOSPC' : 'EIO' }));
    return [{ ...moment, fsync: 'commit', refusals, tried: `${refusals.length} calls` }];
  }
  return (['commit', 'os'] as const).flatMap((fsync) =>
    faults
      .filter(
        ({ call, file, isOfRedo = file.endsWith('.redo') }) =>
          fsync === 'commit' || !(call === 'sync' || isOfRedo),
      )
      .map(({ call, file }) => ({
        ...moment,
        fsync,
        refusals: (['EIO', 'ENOSPC'] as const).map((error) => ({ call, file, error })),
        tried: `${call} ${file}, -fsync ${fsync}`,
      })),
  );
}

const whyNot = whyNoRefusingDisk();

describe.skipIf(whyNot !== undefined)(
  `a data folder on a disk that refuses${whyNot === undefined ? '' : ` (${whyNot})`}`,
  () => {
    it.each(MOMENTS.flatMap(casesOf).map((each) => [each.when, each.tried, each] as const))(
      '%s (%s): nothing acknowledged is lost, nothing comes twice, it is told, and it goes on',
      async (_when, _tried, { fsync, refusals, attempt }) => {
        const dataDir = newFolder();
        using disk = new RefusingDisk(dataDir);
        await using load = await DoorsLoad.start(flagsFor(dataDir, fsync), disk.env);
        for (const refusal of refusals) await attempt(load, disk, refusal);
        await endWell(load, dataDir);
        rmSync(dataDir, { recursive: true });
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
  await eventually(async () => {
    if (disk.first === undefined) await load.tryTopic();
    return disk.first;
  }, `${at}: a call that is refused`);
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

/** Kills the broker and starts one of which a call is refused: the call that a start makes depends on where it was killed. */
async function failStart(load: DoorsLoad, disk: RefusingDisk, refusal: Refusal): Promise<void> {
  for (let kill = 0; kill < MOST_KILLS; kill++) if (await failsStart(load, disk, refusal)) return;
  throw new Error(`${JSON.stringify(refusal)}: no such call after ${MOST_KILLS} kills`);
}

/** @returns whether the call came. The broker may end then, or go on without what it could not do. */
async function failsStart(load: DoorsLoad, disk: RefusingDisk, refusal: Refusal): Promise<boolean> {
  const at = JSON.stringify(refusal);
  await load.untilAllGoOn();
  // Of which a start finds something in the journal.
  await load.tryTopic();
  await load.kill();
  disk.refuse(refusal);
  const running = start(program('broker'), [...load.flags, ...REPORTING], { env: disk.env });
  try {
    await eventually(
      () => running.child.exitCode !== null || running.stdout().includes('\n'),
      `${at}: a start`,
    );
    if (running.child.exitCode !== null) {
      expect(running.child.exitCode, at).toBe(1);
      expect(running.stderr(), at).toMatch(/^broker: .*(ENOSPC|EIO|disk)/m);
    }
  } finally {
    running.child.kill('SIGKILL');
    await running.ended;
  }
  const isRefused = disk.first !== undefined;
  disk.mend();
  await load.startAgain();
  return isRefused;
}

/** Ends the broker while a call is refused. */
async function failEnd(load: DoorsLoad, disk: RefusingDisk, refusal: Refusal): Promise<void> {
  await load.untilAllGoOn();
  disk.refuse(refusal);
  await load.stop();
  expect(disk.first, JSON.stringify(refusal)).toBeDefined();
  disk.mend();
  await load.startAgain();
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
