import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { kafkaRedoGroupBytes } from '../../limits/store.ts';
import { FileHandles } from './file-handles.ts';
import { FileWrites } from './file-writes.ts';
import { RedoLog } from './redo-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-file-writes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Files whose syncs wait until a test lets them go on. */
class HeldHandles extends FileHandles {
  readonly syncing: string[] = [];
  /** What a crash of the machine leaves of files. */
  readonly synced = new Map<string, Buffer>();
  readonly #held = new Map<string, PromiseWithResolvers<void>>();

  hold(name: string): PromiseWithResolvers<void> {
    const held = Promise.withResolvers<void>();
    this.#held.set(name, held);
    return held;
  }

  override use<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const name = basename(path);
    return super.use(path, (handle) => {
      const datasync = async (): Promise<void> => {
        this.syncing.push(name);
        const content = readFileSync(path);
        await this.#held.get(name)?.promise;
        await handle.datasync();
        this.synced.set(name, content);
      };
      const held = new Proxy(handle, {
        get: (target, key) => {
          if (key === 'datasync') return datasync;
          const value = Reflect.get(target, key, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      return work(held);
    });
  }
}

const NAMES = ['a', 'b', 'c'];
/** One group is larger, two groups are more than twice that: so each file of the redo log has one group, or two while there is a checkpoint. */
const REDO_BYTES = 30;

let folders = 0;
let directory: string;
let handles: HeldHandles;
let redo: RedoLog;
let writes: FileWrites;
beforeEach(() => {
  directory = join(folder, `${folders++}`);
  mkdirSync(directory);
  for (const name of NAMES) writeFileSync(join(directory, name), '');
  handles = new HeldHandles('r+', 10);
  redo = new RedoLog([directory]);
  writes = new FileWrites(handles, redo, { fsync: 'commit', redoBytes: REDO_BYTES });
});

afterEach(async () => {
  await writes.end();
  await redo.close();
  await handles.close();
});

const path = (name: string) => join(directory, name);
const write = (name: string, position: number, text: string) =>
  writes.write([{ path: path(name), position, buffers: [Buffer.from(text)], byteLength: text.length }]);

/** What a start finds after a crash of the machine, which takes all that was not synced. */
function afterCrash(): Record<string, string> {
  const copy = join(folder, `${folders++}`);
  cpSync(directory, copy, { recursive: true });
  for (const name of NAMES) writeFileSync(join(copy, name), handles.synced.get(name) ?? '');
  expect(new RedoLog([copy]).replay()).toEqual([]);
  return Object.fromEntries(NAMES.map((name) => [name, readFileSync(join(copy, name), 'utf8')]));
}

it('groups go on while files are synced for the one that is full, and nothing is lost meanwhile', async () => {
  const a = handles.hold('a');
  await write('a', 0, '1');
  await write('b', 0, '2');
  expect(handles.syncing).toEqual(['a']);
  expect(afterCrash()).toMatchObject({ a: '1', b: '2' });
  a.resolve();
  await write('c', 0, '3');
  expect(afterCrash()).toMatchObject({ a: '1', b: '2', c: '3' });
});

it('a group waits only where both files of the redo log are full', async () => {
  const a = handles.hold('a');
  await write('a', 0, '1');
  await write('b', 0, '2');
  await write('b', 1, '2');
  let isWritten = false;
  const third = write('c', 0, '3').then(() => {
    isWritten = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isWritten).toBe(false);
  expect(afterCrash()).toMatchObject({ a: '1', b: '22', c: '' });
  a.resolve();
  await third;
  expect(afterCrash()).toMatchObject({ a: '1', b: '22', c: '3' });
});

it('a file that is replaced gets nothing of the one before, also while that is synced', async () => {
  const a = handles.hold('a');
  const b = handles.hold('b');
  await write('a', 0, 'before');
  await write('b', 0, '2');
  const settled = writes.settle([path('a')]);
  a.resolve();
  await settled;
  await handles.forget(path('a'));
  writeFileSync(path('a'), '');
  handles.synced.delete('a');
  expect(afterCrash()).toMatchObject({ a: '', b: '2' });
  await write('a', 0, 'new');
  expect(afterCrash()).toMatchObject({ a: 'new', b: '2' });
  b.resolve();
  await writes.checkpoint();
  expect(afterCrash()).toMatchObject({ a: 'new', b: '2' });
});

it('files that nobody needs any more are not synced', async () => {
  handles.hold('b');
  await write('b', 0, 'gone');
  await writes.abandon([path('b')]);
  writeFileSync(path('b'), '');
  await write('c', 0, '3');
  expect(handles.syncing).toEqual([]);
  expect(afterCrash()).toMatchObject({ b: '', c: '3' });
});

it('the disk that fails in the background fails the next group, and what lasted before is there', async () => {
  const a = handles.hold('a');
  await write('a', 0, '1');
  await write('b', 0, '2');
  a.reject(new Error('the disk says no'));
  await expect(
    (async () => {
      for (;;) {
        await write('c', 0, '3');
        await new Promise((resolve) => setImmediate(resolve));
      }
    })(),
  ).rejects.toThrow('the disk says no');
  handles.hold('a').resolve();
  // The system may have lost it with the failure.
  truncateSync(path('a'), 0);
  await writes.recover();
  for (const name of NAMES) handles.synced.set(name, readFileSync(path(name)));
  expect(afterCrash()).toMatchObject({ a: '1', b: '2' });
  await write('b', 1, '4');
  expect(afterCrash()).toMatchObject({ a: '1', b: '24' });
});

it('a sync in the background that fails is told at once, and nothing is written or let go until the files are right', async () => {
  const failures: string[] = [];
  writes.onFailure(({ message }) => failures.push(message));
  const a = handles.hold('a');
  await write('a', 0, '1');
  await write('b', 0, '2');
  a.reject(new Error('the disk says no'));
  await vi.waitFor(() => expect(failures).toEqual(['the disk says no']));
  // The disk tells that once: another sync says that all is well, and what it lost is safe in the redo log only.
  handles.hold('a').resolve();
  await expect(writes.settle([path('a')])).rejects.toThrow('the disk says no');
  await expect(writes.checkpoint()).rejects.toThrow('the disk says no');
  await expect(write('c', 0, '3')).rejects.toThrow('the disk says no');
  handles.synced.delete('a');
  truncateSync(path('a'), 0);
  await writes.recover();
  for (const name of NAMES) handles.synced.set(name, readFileSync(path(name)));
  expect(afterCrash()).toMatchObject({ a: '1', b: '2', c: '' });
  await write('c', 0, '3');
  expect(afterCrash()).toMatchObject({ a: '1', b: '2', c: '3' });
  expect(failures).toHaveLength(1);
});

it('of a file that is synced in the background a large group waits for that, and fails with it', async () => {
  const large = '5'.repeat(kafkaRedoGroupBytes + 1);
  const a = handles.hold('a');
  await write('a', 0, '1');
  await write('b', 0, '2');
  const written = write('a', 1, large);
  const isRefused = expect(written).rejects.toThrow('the disk says no');
  await vi.waitFor(() => expect(readFileSync(path('a'))).toHaveLength(large.length + 1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(handles.syncing).toEqual(['a']);
  a.reject(new Error('the disk says no'));
  await isRefused;
  expect(handles.syncing).toEqual(['a']);
});

it('what is synced is older first', async () => {
  const a = handles.hold('a');
  await writes.write(
    ['a', 'b', 'c'].map((name) => ({
      path: path(name),
      position: 0,
      buffers: [Buffer.from(name)],
      byteLength: 1,
    })),
  );
  await write('c', 1, '2');
  a.resolve();
  await writes.checkpoint();
  expect(handles.syncing).toEqual(['a', 'b', 'c', 'c']);
});
