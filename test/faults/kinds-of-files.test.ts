import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DataFolderStore } from '../../internal/store/data-folder/data-folder-store.ts';
import { pagesOfEntries } from '../../internal/store/entry-store.ts';
import { CorruptBatchError, StoreError } from '../../internal/store/store-error.ts';
import { damageInDataFolder } from '../support/data-folder.ts';
import { DOORS, KEPT } from '../support/door-writers.ts';
import { DoorsLoad } from '../support/doors-load.ts';
import { type Bit, flippedBits, withFlipped } from '../support/flipped-bits.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * A flipped bit in each kind of file that a broker with every door leaves in its data folder: whatever it costs is told by
 * `tinymq verify`, and what can be read is what was written.
 */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-kinds-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a flipped bit may cost. */
type Cost = 'nothing' | 'batches' | 'values' | 'the start';

/** Every kind of file there is, and the most that a flipped bit of it may cost. A kind that is not here has to be thought about. */
const KINDS: Readonly<Record<string, readonly Cost[]>> = {
  lock: [],
  'lock-journal': [],
  'lock.pid': [],
  'logs/*/*.index': [],
  'logs/*/*.log': ['batches', 'the start'],
  'logs/*/*.timeindex': [],
  'logs/*/leader-epoch-checkpoint': ['the start'],
  'logs/*/partition.metadata': ['the start'],
  'logs/.lock': [],
  'logs/__cluster_metadata-0/*.index': [],
  'logs/__cluster_metadata-0/*.log': ['the start'],
  'logs/__cluster_metadata-0/*.timeindex': [],
  'logs/__cluster_metadata-0/leader-epoch-checkpoint': ['the start'],
  'logs/log-start-offset-checkpoint': ['the start'],
  'logs/meta.properties': ['the start'],
  'logs/recovery-point-offset-checkpoint': ['the start'],
  'logs/tinymq.journal': ['the start'],
  'logs/tinymq.redo': ['batches'],
  'logs/tinymq.redo.2': ['batches'],
  'tinymq.db': ['values', 'the start'],
  'tinymq.db-shm': [],
  'tinymq.db-wal': ['values', 'the start'],
};

/** As a broker leaves it that was killed, and one that ended in an orderly way. */
const states = { killed: join(folder, 'killed'), ended: join(folder, 'ended') };

beforeAll(async () => {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  await using load = await DoorsLoad.start([...DOORS, ...KEPT, '-data-dir', dataDir], {});
  await load.kill();
  cpSync(dataDir, states.killed, { recursive: true });
  await load.startAgain();
  await load.untilAllGoOn();
  expect(await load.stop()).toMatchObject({ code: 0 });
  cpSync(dataDir, states.ended, { recursive: true });
}, torturePatienceMs(240_000));

it('has no kind of file that nobody has thought about', () => {
  const kinds = new Set(Object.values(states).flatMap((state) => filesOf(state).map(kindOf)));
  expect([...kinds].filter((kind) => KINDS[kind] === undefined)).toEqual([]);
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      'tinymq.db',
      'tinymq.db-wal',
      'logs/*/*.log',
      'logs/tinymq.redo',
      'logs/tinymq.journal',
    ]),
  );
});

it.each(Object.entries(states))(
  'a flipped bit in each kind of file that a broker leaves which was %s costs what it may, and is told',
  async (_, state) => {
    const before = await contentOf(copyOf(state));
    const largest = new Map<string, string>();
    const costs = new Set<string>();
    for (const file of filesOf(state)) {
      const other = largest.get(kindOf(file));
      if (other === undefined || sizeOf(state, other) < sizeOf(state, file)) largest.set(kindOf(file), file);
    }
    for (const [kind, file] of largest) {
      const bytes = readFileSync(join(state, file));
      for (const bit of bitsOf(bytes.length)) {
        const flipped = copyOf(state);
        writeFileSync(join(flipped, file), withFlipped(bytes, bit));
        const at = `bit ${bit.bit} of byte ${bit.at} of ${bytes.length} of ${file}`;
        const problems = await damageInDataFolder(flipped).catch((error: Error) => [error.message]);
        const cost = await costOf(flipped, before, at);
        expect(['nothing', ...KINDS[kind]!], at).toContain(cost);
        costs.add(`${kind}: ${cost}`);
        // What the redo log alone has was under way when the broker was killed, and was not acknowledged.
        if (cost !== 'nothing' && !kind.startsWith('logs/tinymq.redo'))
          expect(problems, `${at} costs ${cost}`).not.toEqual([]);
        rmSync(flipped, { recursive: true });
      }
    }
    expect([...costs]).toEqual(
      expect.arrayContaining([
        'logs/*/*.log: batches',
        'tinymq.db: values',
        'logs/tinymq.journal: the start',
      ]),
    );
  },
  torturePatienceMs(600_000),
);

/** At the beginning, at the end, and in between. */
function bitsOf(sizeBytes: number): Bit[] {
  const last = { at: sizeBytes - 1, bit: 0 };
  return [{ at: 0, bit: 3 }, ...flippedBits(sizeBytes, Math.min(rounds(1, 20), sizeBytes)), last];
}

interface Content {
  readonly batches: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, string>;
}

/** @throws StoreError where it cannot be opened. */
async function contentOf(directory: string): Promise<Content> {
  const store = new DataFolderStore({ directory, fsync: 'os' });
  const { topics, groups } = await store.open();
  const batches = new Map<string, string>();
  for (const { name, partitions } of topics) {
    for (const { id, number, firstOffset, nextOffset } of partitions) {
      for (let at = firstOffset; at < nextOffset; ) {
        const read = await store.read(id, at, 1e8).catch((error) => {
          if (error instanceof CorruptBatchError) return error.lastOffset + 1;
          throw error;
        });
        if (typeof read === 'number') at = read;
        else if (read.length === 0) break;
        else {
          for (const { baseOffset, bytes } of read)
            batches.set(`${name} ${number} ${baseOffset}`, Buffer.from(bytes).toString('base64'));
          at = read.at(-1)!.lastOffset + 1;
        }
      }
    }
  }
  const values = new Map<string, string>();
  for (const [group, offsets] of groups) values.set(`group ${group}`, JSON.stringify(offsets));
  for await (const entries of pagesOfEntries(store)) {
    for (const { key, value } of entries) values.set(key, Buffer.from(value).toString('base64'));
  }
  await store.close();
  return { batches, values };
}

/** What is missing of what was there. Batches are never others; a start that is refused says which file it is about. */
async function costOf(directory: string, before: Content, at: string): Promise<Cost> {
  let content: Content;
  try {
    content = await contentOf(directory);
  } catch (error) {
    expect(error, at).toBeInstanceOf(StoreError);
    expect((error as Error).message, at).toContain(directory);
    return 'the start';
  }
  for (const [key, bytes] of content.batches) expect(bytes, `${at}: ${key}`).toBe(before.batches.get(key));
  if (content.batches.size < before.batches.size) return 'batches';
  const isSame = [...before.values].every(([key, value]) => content.values.get(key) === value);
  return isSame ? 'nothing' : 'values';
}

let copies = 0;

function copyOf(state: string): string {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(state, copy, { recursive: true });
  return copy;
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((file) => sizeOf(directory, file) > 0);
}

function sizeOf(directory: string, file: string): number {
  return statSync(join(directory, file)).size;
}

function kindOf(file: string): string {
  return file.replace(/^logs\/(?!__cluster_metadata)[^/]+-\d+\//, 'logs/*/').replace(/\d{20}/, '*');
}
