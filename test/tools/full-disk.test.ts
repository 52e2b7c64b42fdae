import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { connect } from '../../pkg/client/index.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { canMountSmallDisk, mountSmallDisk } from '../mqtt/small-disk.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-full-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL_MIB = 4;
const MESSAGES = 80;
const TEXT = 'x'.repeat(50_000);

it.skipIf(!canMountSmallDisk())(
  'a copy for which a disk has no room is said to be none, leaves nothing, and the broker goes on',
  async () => {
    using disk = mountSmallDisk(SMALL_MIB)!;
    const target = dirname(disk.dataDir);
    const dataDir = join(folder, 'data');
    await using broker = await startBroker({
      ...{ listen: ['tcp://127.0.0.1:0'], dataDir, adminSocket: true, sysIntervalMs: 0 },
      keep: [{ filter: 'kept/#' }],
    });
    const client = await connect(broker.url);
    for (let index = 0; index < MESSAGES; index++) {
      await client.publish(`kept/${index % 2}`, TEXT, { qos: 1 });
      await client.publish(`retained/${index}`, TEXT, { qos: 1, retain: true });
    }
    const before = readdirSync(target);
    const backup = join(folder, 'backup');
    expect(await runTinymq(['backup', backup, '-quiet', '-data-dir', dataDir])).toMatchObject({ code: 0 });
    for (const words of [['backup'], ['logs', 'export'], ['retained', 'export']]) {
      const file = join(target, 'copy');
      const { code, errors } = await runTinymq([...words, file, '-quiet', '-data-dir', dataDir]);
      expect([code, errors]).toEqual([
        1,
        `tinymq ${words.join(' ')}: cannot write ${file}: the disk is full\n`,
      ]);
      expect(readdirSync(target), words.join(' ')).toEqual(before);
    }
    const restored = await runTinymq(['restore', backup, '-data-dir', disk.dataDir, '-quiet']);
    expect([restored.code, restored.errors]).toEqual([
      1,
      `tinymq restore: cannot write ${disk.dataDir}: the disk is full\n`,
    ]);
    await client.publish('kept/0', 'goes on', { qos: 1 });
    await client.close();
  },
);
