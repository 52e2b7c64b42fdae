import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { RedoLog } from './redo-log.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tinymq-redo-'));
  folders.push(directory);
  for (const name of ['a', 'b']) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'log'), '');
  }
});

const sync = (handle: FileHandle) => handle.datasync();
const file = (name: string) => join(directory, name, 'log');
const redoFile = () => join(directory, 'tinymq.redo');
const text = (name: string) => readFileSync(file(name), 'utf8');

function write(name: string, position: number, ...texts: string[]) {
  const buffers = texts.map((each) => Buffer.from(each));
  return { path: file(name), position, buffers, byteLength: Buffer.concat(buffers).length };
}

/** A redo log with these groups, of which the files got nothing. */
async function withGroups(...groups: ReturnType<typeof write>[][]): Promise<RedoLog> {
  const redo = new RedoLog([directory]);
  for (const group of groups) await redo.append(group, sync);
  return redo;
}

async function replayed(): Promise<string | undefined> {
  return new RedoLog([directory]).replay();
}

describe('after a crash', () => {
  it('what the files did not get is written to its place', async () => {
    await withGroups(
      [write('a', 0, 'one', 'two'), write('b', 0, 'x')],
      [write('b', 1, 'yz'), write('a', 6, '!')],
    );
    expect(await replayed()).toBeUndefined();
    expect([text('a'), text('b')]).toEqual(['onetwo!', 'xyz']);
  });

  it('what they have already, or in part, changes nothing', async () => {
    await withGroups([write('a', 0, 'onetwo'), write('b', 0, 'xyz')]);
    writeFileSync(file('a'), 'onetwo and what came later');
    writeFileSync(file('b'), 'x\0\0');
    expect(await replayed()).toBeUndefined();
    expect([text('a'), text('b')]).toEqual(['onetwo and what came later', 'xyz']);
  });

  it('a group that is not whole does not count, at any of its bytes', async () => {
    const { sizeBytes } = await withGroups(
      [write('a', 0, 'one'), write('b', 0, 'x')],
      [write('a', 3, 'two'), write('b', 1, 'y')],
    );
    const whole = readFileSync(redoFile()).subarray(0, sizeBytes);
    const first = whole.indexOf('tmqr', 1);
    for (let length = first; length < whole.length; length++) {
      for (const name of ['a', 'b']) writeFileSync(file(name), '');
      writeFileSync(redoFile(), whole.subarray(0, length));
      await replayed();
      expect([text('a'), text('b')]).toEqual(['one', 'x']);
    }
  });

  it('a group with a flipped bit does not count, and none behind it', async () => {
    await withGroups([write('a', 0, 'one')], [write('a', 3, 'two')], [write('a', 6, 'three')]);
    const bytes = readFileSync(redoFile());
    bytes[bytes.indexOf('two')]! ^= 1;
    writeFileSync(redoFile(), bytes);
    await replayed();
    expect(text('a')).toBe('one');
  });

  it('nothing is written over bytes that are not ours, and a copy of what was to be written stays', async () => {
    await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    writeFileSync(file('a'), 'of Kafka');
    const copy = await replayed();
    expect([text('a'), text('b')]).toEqual(['of Kafka', 'x']);
    expect(readFileSync(copy!)).toEqual(readFileSync(redoFile()));
  });

  it('a file that is gone is not made', async () => {
    await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    rmSync(file('a'));
    expect(await replayed()).toBeDefined();
    expect([existsSync(file('a')), text('b')]).toEqual([false, 'x']);
  });

  it('the folder may have another name', async () => {
    await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    const other = `${directory}-moved`;
    folders.push(other);
    mkdirSync(other);
    for (const name of ['a', 'b']) {
      mkdirSync(join(other, name));
      writeFileSync(join(other, name, 'log'), '');
    }
    writeFileSync(join(other, 'tinymq.redo'), readFileSync(redoFile()));
    new RedoLog([other]).replay();
    expect(readFileSync(join(other, 'a', 'log'), 'utf8')).toBe('one');
  });

  it('a path that leads out of the folder is refused', async () => {
    writeFileSync(`${directory}-outside`, '');
    folders.push(`${directory}-outside`);
    const redo = new RedoLog([directory]);
    const outside = { ...write('a', 0, 'one'), path: `${directory}/../outside` };
    await redo.append([outside], sync);
    await expect(replayed()).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('what no longer counts', () => {
  it('is what a checkpoint has behind it, whatever the file still holds', async () => {
    const redo = await withGroups([write('a', 0, 'one'), write('b', 0, 'x')], [write('a', 3, 'two')]);
    await redo.beginAnew();
    await replayed();
    expect(text('a')).toBe('');
    // A group of the same length, behind which the older second one lies as it was.
    await redo.append([write('a', 0, 'ONE'), write('b', 0, 'X')], sync);
    await replayed();
    expect([text('a'), text('b')]).toEqual(['ONE', 'X']);
  });

  it('is a group that was taken back; the next one takes its place', async () => {
    const redo = await withGroups([write('a', 0, 'one')], [write('a', 3, 'two')]);
    await redo.takeBack();
    await replayed();
    expect(text('a')).toBe('one');
    await redo.append([write('a', 3, '2')], sync);
    await replayed();
    expect(text('a')).toBe('one2');
  });

  it('is a group whose sync failed', async () => {
    const redo = await withGroups([write('a', 0, 'one')]);
    const fails = redo.append([write('a', 3, 'two')], async () => {
      throw new Error('the disk says no');
    });
    await expect(fails).rejects.toThrow('the disk says no');
    await redo.takeBack();
    await replayed();
    expect(text('a')).toBe('one');
  });
});

it('a new process goes on behind what it has written again', async () => {
  await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
  const next = new RedoLog([directory]);
  next.replay();
  await next.append([write('a', 3, 'two')], sync);
  truncateSync(file('a'), 3);
  await replayed();
  expect(text('a')).toBe('onetwo');
  expect(readdirSync(directory)).toEqual(['a', 'b', 'tinymq.redo']);
});
