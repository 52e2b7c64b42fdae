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
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FailingDisk, prepareFailingDisk } from '../../../test/support/failing-disk.ts';
import { RedoLog } from './redo-log.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

beforeAll(prepareFailingDisk);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tinymq-redo-'));
  folders.push(directory);
  for (const name of ['a', 'b']) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'log'), '');
  }
});

const open: RedoLog[] = [];
afterEach(async () => {
  for (const redo of open.splice(0)) await redo.close();
});

function newRedo(of = directory): RedoLog {
  const redo = new RedoLog([of]);
  open.push(redo);
  return redo;
}

const file = (name: string) => join(directory, name, 'log');
const redoFile = () => join(directory, 'tinymq.redo');
const text = (name: string) => readFileSync(file(name), 'utf8');

function write(name: string, position: number, ...texts: string[]) {
  const buffers = texts.map((each) => Buffer.from(each));
  return { path: file(name), position, buffers, byteLength: Buffer.concat(buffers).length };
}

/** A redo log with these groups, of which the files got nothing. */
async function withGroups(...groups: ReturnType<typeof write>[][]): Promise<RedoLog> {
  const redo = newRedo();
  for (const group of groups) await redo.append(group);
  return redo;
}

async function replayed(): Promise<string[]> {
  return newRedo().replay();
}

describe('after a crash', () => {
  it('what the files did not get is written to its place', async () => {
    await withGroups(
      [write('a', 0, 'one', 'two'), write('b', 0, 'x')],
      [write('b', 1, 'yz'), write('a', 6, '!')],
    );
    expect(await replayed()).toEqual([]);
    expect([text('a'), text('b')]).toEqual(['onetwo!', 'xyz']);
  });

  it('what they have already, or in part, changes nothing', async () => {
    await withGroups([write('a', 0, 'onetwo'), write('b', 0, 'xyz')]);
    writeFileSync(file('a'), 'onetwo and what came later');
    writeFileSync(file('b'), 'x\0\0');
    expect(await replayed()).toEqual([]);
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
    const [copy] = await replayed();
    expect([text('a'), text('b')]).toEqual(['of Kafka', 'x']);
    expect(readFileSync(copy!).equals(readFileSync(redoFile()))).toBe(true);
  });

  it('a file that is gone is not made', async () => {
    await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    rmSync(file('a'));
    expect(await replayed()).toHaveLength(1);
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
    newRedo(other).replay();
    expect(readFileSync(join(other, 'a', 'log'), 'utf8')).toBe('one');
  });

  it('a path that leads out of the folder is refused', async () => {
    writeFileSync(`${directory}-outside`, '');
    folders.push(`${directory}-outside`);
    const redo = newRedo();
    const outside = { ...write('a', 0, 'one'), path: `${directory}/../outside` };
    await redo.append([outside]);
    await expect(replayed()).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('what no longer counts', () => {
  it('is what a checkpoint has behind it, whatever the file still holds', async () => {
    const redo = await withGroups([write('a', 0, 'one'), write('b', 0, 'x')], [write('a', 3, 'two')]);
    await redo.clear();
    await replayed();
    expect(text('a')).toBe('');
    // A group of the same length, behind which the older second one lies as it was.
    await redo.append([write('a', 0, 'ONE'), write('b', 0, 'X')]);
    await replayed();
    expect([text('a'), text('b')]).toEqual(['ONE', 'X']);
  });

  it('is a group that was taken back; the next one takes its place', async () => {
    const redo = await withGroups([write('a', 0, 'one')], [write('a', 3, 'two')]);
    await redo.takeBack();
    await replayed();
    expect(text('a')).toBe('one');
    await redo.append([write('a', 3, '2')]);
    await replayed();
    expect(text('a')).toBe('one2');
  });

  it('is a group whose sync failed', async () => {
    using disk = new FailingDisk(directory);
    const redo = await withGroups([write('a', 0, 'one')]);
    disk.failFrom(0, 'EIO');
    await expect(redo.append([write('a', 3, 'two')])).rejects.toThrow('EIO');
    disk.mend();
    await redo.takeBack();
    await replayed();
    expect(text('a')).toBe('one');
  });
});

describe('two files in turn', () => {
  const texts = () => [text('a'), text('b')];

  it('what both hold is written again, in the order in which it was written', async () => {
    const redo = await withGroups([write('a', 0, 'one')], [write('b', 0, 'x')]);
    redo.turn();
    await redo.append([write('a', 3, 'two'), write('b', 1, 'y')]);
    await replayed();
    expect(texts()).toEqual(['onetwo', 'xy']);
  });

  it('the first one is the later one after the next turn', async () => {
    const redo = await withGroups([write('a', 0, 'one')]);
    redo.turn();
    await redo.append([write('a', 3, 'two')]);
    writeFileSync(file('a'), 'one');
    await redo.clearOlder();
    redo.turn();
    await redo.append([write('a', 6, 'three')]);
    await replayed();
    expect(text('a')).toBe('onetwothree');
  });

  it('the older one counts no more when it is cleared, the newer one does', async () => {
    const redo = await withGroups([write('a', 0, 'one')]);
    redo.turn();
    await redo.append([write('b', 0, 'x')]);
    await redo.clearOlder();
    await replayed();
    expect(texts()).toEqual(['', 'x']);
  });

  it('a new process writes what was left by one that was killed in the middle of a turn', async () => {
    const redo = await withGroups([write('a', 0, 'one')]);
    redo.turn();
    await redo.append([write('b', 0, 'x')]);
    const next = newRedo();
    next.replay();
    next.forget();
    await next.append([write('a', 3, 'two')]);
    await replayed();
    expect(texts()).toEqual(['onetwo', 'x']);
    expect(readdirSync(directory)).toEqual(['a', 'b', 'tinymq.redo', 'tinymq.redo.2']);
  });
});

describe('a file that was let go of', () => {
  it('gets nothing of what came before, also from the older file', async () => {
    const redo = await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    redo.turn();
    await redo.append([write('a', 3, 'two')]);
    await redo.letGo([file('a')]);
    writeFileSync(file('a'), 'another');
    expect(await replayed()).toEqual([]);
    expect([text('a'), text('b')]).toEqual(['another', 'x']);
  });

  it('gets what came later', async () => {
    const redo = await withGroups([write('a', 0, 'one')]);
    await redo.letGo([file('a')]);
    await redo.append([write('a', 0, 'ONE')]);
    await replayed();
    expect(text('a')).toBe('ONE');
  });

  it('is not missed when it is gone', async () => {
    const redo = await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
    await redo.letGo([file('a')]);
    rmSync(file('a'));
    expect(await replayed()).toEqual([]);
    expect(text('b')).toBe('x');
  });
});

it('a group with a gap before it is for another file', async () => {
  await withGroups([write('a', 3, 'two'), write('b', 0, 'x')]);
  expect(await replayed()).toHaveLength(1);
  expect([text('a'), text('b')]).toEqual(['', 'x']);
});

it('a large group is written in pieces and read as one', async () => {
  const pieces = Array.from({ length: 1_500 }, (_, index) => String(index % 10).repeat(6_000));
  await withGroups([write('a', 0, ...pieces), write('b', 0, 'x')]);
  await replayed();
  expect([text('a') === pieces.join(''), text('b')]).toEqual([true, 'x']);
});

it('a new process goes on behind what it has written again', async () => {
  await withGroups([write('a', 0, 'one'), write('b', 0, 'x')]);
  const next = newRedo();
  next.replay();
  await next.append([write('a', 3, 'two')]);
  truncateSync(file('a'), 3);
  await replayed();
  expect(text('a')).toBe('onetwo');
  expect(readdirSync(directory)).toEqual(['a', 'b', 'tinymq.redo']);
});
