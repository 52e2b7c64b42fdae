import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { program, REPORTING, run } from '../support/broker-process.ts';
import { damageInDataFolder } from '../support/data-folder.ts';
import { DOORS, KEPT } from '../support/door-writers.ts';
import { DoorsLoad } from '../support/doors-load.ts';

/* Files of a data folder that somebody removes while its broker runs, and all doors write. */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-vanished-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is removed at once, and whether the broker has to write something anew. */
const REMOVED = [
  { files: ['lock', 'lock.pid'], isTold: false },
  { files: ['tinymq.db'], isTold: true },
  { files: ['tinymq.db-wal'], isTold: true },
  { files: ['tinymq.db', 'tinymq.db-wal', 'tinymq.db-shm'], isTold: true },
  { files: ['logs/tinymq.redo', 'logs/tinymq.journal'], isTold: true },
];

/* SQLite went on writing into files that had no name, and all that was acknowledged there was gone with the process. */
it('files that are removed while the broker runs: nothing acknowledged is lost, also when it is killed then', async () => {
  const flags = [...DOORS, ...KEPT, '-data-dir', folder];
  await using load = await DoorsLoad.start(flags, {});
  for (const { files, isTold } of REMOVED) {
    for (const file of files) rmSync(join(folder, file));
    if (isTold) {
      const { reason } = await load.broker.logged({ msg: 'the store has a problem', kind: 'unavailable' });
      expect(reason).toContain('was removed');
      await load.broker.logged({ msg: 'the store works again' });
    } else {
      const second = await run(program('broker'), [...flags, ...REPORTING]);
      expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('is in use') });
    }
    await load.untilAllGoOn();
    await load.kill();
    await load.startAgain();
    await load.untilAllGoOn();
  }
  await load.expectAll();
  expect((await load.broker.stop()).code).toBe(0);
  expect(await damageInDataFolder(folder)).toEqual([]);
}, 240_000);
