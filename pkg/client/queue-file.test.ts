import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { payloadWith, readProperties } from '../../internal/protocol/frame/properties.ts';
import { Agreement } from './agreement.ts';
import { countedDown } from './countdown.ts';
import { type LostCountError, Promised } from './promised.ts';
import type { PromisedMessage } from './queue-file.ts';
import { type FileSystem, NodeQueueFile } from './queue-file-node.ts';
import { encodeRecord } from './queue-records.ts';

const { acknowledged: ACKS, once: ONCE } = FrameBit;
const BOUNDS = { messages: 1_000, bytes: 64 * 1024 * 1024 };

let folder: string;
let path: string;
const opened: NodeQueueFile[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'tinymq-queue-'));
  path = join(folder, 'queue');
});
afterEach(() => {
  for (const file of opened.splice(0)) file.close();
  fs.rmSync(folder, { recursive: true });
});

function open(clientId = 'kitchen', system: FileSystem = fs): NodeQueueFile {
  const file = new NodeQueueFile(path, clientId, system);
  opened.push(file);
  return file;
}

function message(text: string, count: 0x20 | 0x40 = ONCE): PromisedMessage {
  const frame = encodeFrame(FrameType.publish | count, 'a', text, '');
  return {
    count,
    topic: 'a',
    frame,
    needs: [count === ONCE ? 'once' : 'acks'],
    publishedAtMs: 1_700_000_000_000,
  };
}

/** A run of the program: a queue that goes on with what the file has. */
function run(system: FileSystem = fs) {
  const told: string[] = [];
  const fates: string[] = [];
  const promised = new Promised(BOUNDS, (error) =>
    told.push((error as { code?: string }).code ?? error.message),
  );
  const file = open('kitchen', system);
  promised.keepIn(file);
  const add = (text: string, count: 0x20 | 0x40 = ONCE) => {
    promised.add(message(text, count)).then(
      () => fates.push(text),
      (error) => fates.push(`${text}: ${error.code}`),
    );
    promised.sent(count);
  };
  const connected = (words = `acks once last=${promised.acknowledged}`) =>
    promised.restore(new Agreement(Buffer.from(words))).map(textOf);
  /** As after kill -9: nobody says goodbye to the file. */
  const die = () => opened.splice(opened.indexOf(file), 1)[0]!.close();
  return { promised, file, told, fates, add, connected, die };
}

function textOf(frame: Uint8Array): string {
  return Buffer.from(frame).subarray(8, -2).toString();
}

/** The file system, which fails from a call on, or in the middle of a write. */
class FailingFiles {
  failing: 'nothing' | 'writes' | 'everything' = 'nothing';
  readonly system: FileSystem = {
    ...fs,
    writeSync: ((descriptor: number, bytes: Uint8Array, from: number, length: number, at: number) => {
      if (this.failing === 'nothing') return fs.writeSync(descriptor, bytes, from, length, at);
      fs.writeSync(descriptor, bytes, from, length >> 1, at);
      throw full();
    }) as typeof fs.writeSync,
    ftruncateSync: (descriptor, length) => {
      if (this.failing === 'everything') throw full();
      fs.ftruncateSync(descriptor, length);
    },
    renameSync: (from, to) => {
      if (this.failing === 'everything') throw full();
      fs.renameSync(from, to);
    },
  };
}

function full(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}

describe('a queue in a file', () => {
  it('goes on with what waits, in its order, under the same count', () => {
    const first = run();
    first.connected();
    for (const text of ['1', '2', '3', '4']) first.add(text);
    for (const text of ['a', 'b', 'c']) first.add(text, ACKS);
    first.promised.acknowledge(ONCE, 2);
    first.promised.acknowledge(ACKS, 1);
    const { producer } = first.promised;
    first.die();

    const second = run();
    expect([second.promised.producer, second.promised.acknowledged]).toEqual([producer, 2]);
    // The broker had one more than it could tell.
    expect(second.connected('acks once last=3')).toEqual(['4', 'b', 'c']);
    second.promised.acknowledge(ONCE, 4);
    second.promised.acknowledge(ACKS, 2);
    second.die();
    expect(run().promised.count).toBe(0);
  });

  it('keeps in order what several runs have published while there was no broker', () => {
    for (const text of ['1', '2', '3']) {
      const { promised, die } = run();
      promised.add(message(text));
      die();
    }
    expect(run().connected()).toEqual(['1', '2', '3']);
  });

  it('keeps what waits when the client is closed, and tells whoever awaits it', async () => {
    const { promised, fates, add } = run();
    add('1');
    promised.shut(new Error('closed'));
    await new Promise(setImmediate);
    expect(fates).toEqual(['1: undefined']);
    expect(run().connected()).toEqual(['1']);
  });

  it('is written by its owner only, and is of one client', () => {
    run().die();
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(() => open('hall')).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        message: expect.stringContaining('the client kitchen'),
      }),
    );
    // It has let go of the file.
    expect(open('kitchen').kept).toMatchObject({ messages: [] });
  });

  it('is of one process, and of one client in it', () => {
    const { die } = run();
    expect(() => open()).toThrow(expect.objectContaining({ code: 'queue-in-use' }));
    die();
    expect(() => open()).not.toThrow();
  });

  it('is not made of what is something else', () => {
    fs.writeFileSync(path, 'precious');
    expect(() => open()).toThrow('it is no queue of this version of tinymq');
    expect(fs.readFileSync(path, 'utf8')).toBe('precious');
    path = join(folder, 'no', 'folder');
    expect(() => open()).toThrow('no such file or folder');
  });

  it('stays short, however much goes through it', () => {
    const { promised, add, connected, die } = run();
    connected();
    const text = 'x'.repeat(100_000);
    for (let number = 1; number <= 100; number++) {
      add(text);
      if (number > 3) promised.acknowledge(ONCE, number - 3);
    }
    expect(fs.statSync(path).size).toBeLessThan(2_000_000);
    die();
    const second = run();
    expect(second.connected('acks once last=98')).toEqual([text, text]);
    expect(second.promised.acknowledged).toBe(98);
  });
});

describe('a file that ends in the middle', () => {
  it('has everything before, wherever it was cut', () => {
    const first = run();
    first.connected();
    for (const text of ['1', '22', '333']) first.add(text);
    first.promised.acknowledge(ONCE, 1);
    first.add('4444');
    first.die();
    const whole = fs.readFileSync(path);
    const seen = new Set<string>();
    for (let size = 0; size <= whole.length; size++) {
      fs.writeFileSync(path, whole.subarray(0, size));
      const { file, promised, connected, add, die } = run();
      expect(file.problem).toBeUndefined();
      const words = connected(`acks once last=${promised.acknowledged}`);
      expect(['1 22 333', '22 333 4444']).toContainEqual(expect.stringContaining(words.join(' ')));
      seen.add(words.join(' '));
      // What is added then is behind it, and is read again.
      add('new');
      die();
      const after = run();
      expect(after.connected()).toEqual([...words, 'new']);
      after.die();
    }
    expect([...seen]).toEqual(['', '1', '1 22', '1 22 333', '22 333', '22 333 4444']);
  });

  // A crash of the machine may take the end of a file that the broker has had already. Its numbers were ours: the others were sent
  // under another name, and came twice.
  it('goes on behind what the broker has', () => {
    const first = run();
    first.connected();
    for (const text of ['1', '2']) first.add(text);
    const { producer } = first.promised;
    first.die();
    const second = run();
    expect(second.connected('once last=5')).toEqual([]);
    second.add('6');
    second.promised.acknowledge(ONCE, 6);
    expect([second.promised.producer, second.promised.acknowledged, second.promised.count]).toEqual([
      producer,
      6,
      0,
    ]);
    second.die();
    expect(run().promised.acknowledged).toBe(6);
  });

  it('is told where somebody wrote over it, and a copy is kept', () => {
    const first = run();
    for (const text of ['1', '2', '3']) first.add(text);
    first.die();
    const bytes = fs.readFileSync(path);
    bytes[bytes.length - 10]! ^= 1;
    fs.writeFileSync(path, bytes);
    const second = run();
    expect(second.file.problem).toMatchObject({ code: 'queue-damaged' });
    expect(second.connected()).toEqual(['1', '2']);
    expect(fs.readFileSync(`${path}.damaged`)).toEqual(bytes);
  });

  it('does not take for a record what was one at another place', () => {
    const first = run();
    first.add('1');
    first.die();
    const bytes = fs.readFileSync(path);
    const { length } = encodeRecord({ kind: 'message', message: message('1') }, new Uint8Array(4), 0);
    fs.appendFileSync(path, bytes.subarray(-length));
    const second = run();
    expect(second.connected()).toEqual(['1']);
    expect(second.file.problem).toMatchObject({ code: 'queue-damaged' });
  });
});

describe('a full disk', () => {
  it('is told to who publishes, and takes nothing of what is there', () => {
    const disk = new FailingFiles();
    const first = run(disk.system);
    first.connected();
    first.add('1');
    disk.failing = 'writes';
    expect(() => first.add('2')).toThrow(
      expect.objectContaining({ code: 'queue-failed', message: `the queue ${path}: the disk is full` }),
    );
    disk.failing = 'nothing';
    first.add('3');
    first.die();
    expect(run().connected()).toEqual(['1', '3']);
  });

  it('where not even the half of a record could be cut off, the next one is written over it', () => {
    const disk = new FailingFiles();
    const first = run(disk.system);
    first.connected();
    first.add('1');
    disk.failing = 'everything';
    expect(() => first.add('2'.repeat(1_000))).toThrow('the disk is full');
    disk.failing = 'nothing';
    first.add('3');
    first.die();
    expect(run().connected()).toEqual(['1', '3']);
  });

  it('when answers cannot be noted is told once, and the file is right again when there is room', async () => {
    const disk = new FailingFiles();
    const first = run(disk.system);
    first.connected();
    for (const text of ['1', '2', '3']) first.add(text);
    disk.failing = 'everything';
    for (const number of [1, 2]) first.promised.acknowledge(ONCE, number);
    expect(first.told).toEqual(['queue-failed', 'queue-failed']);
    disk.failing = 'nothing';
    // A message that was answered and could not be noted is known to the broker.
    first.promised.shut(new Error('closed'));
    opened.pop();
    expect(run().connected('once last=2')).toEqual(['3']);
  });

  it('at the first start is told, and the next start works', () => {
    const disk = new FailingFiles();
    disk.failing = 'everything';
    expect(() => run(disk.system)).toThrow(expect.objectContaining({ code: 'queue-failed' }));
    opened.splice(0)[0]!.close();
    run();
    expect(fs.readdirSync(folder).sort()).toEqual(['queue', 'queue.lock']);
  });
});

it('another count is in the file before the broker hears of it', () => {
  const first = run();
  first.connected('once last=0');
  for (const text of ['1', '2']) first.add(text);
  first.promised.acknowledge(ONCE, 1);
  const lost = (): unknown => {
    try {
      return first.connected('once last=0');
    } catch (error) {
      return (error as LostCountError).name;
    }
  };
  expect(lost()).toBe('LostCountError');
  const { producer } = first.promised;
  first.die();
  const second = run();
  expect([second.promised.producer, second.promised.acknowledged]).toEqual([producer, 0]);
  expect(second.connected()).toEqual(['2']);
});

it('what a broker does not offer is told and leaves the file', () => {
  const first = run();
  first.add('1');
  first.add('2', ACKS);
  first.die();
  const second = run();
  expect(second.connected('acks')).toEqual(['2']);
  expect(second.told).toEqual(['not-supported']);
  second.die();
  expect(run().connected()).toEqual(['2']);
});

it('the time in which a message is wanted goes on while it waits', () => {
  const frame = encodeFrame(
    FrameType.publish | ONCE | FrameBit.properties,
    'a',
    payloadWith({ expiresInMs: 10_000, headers: [['unit', 'C']] }, Buffer.from('22.5')),
    '',
  );
  const partsOf = (bytes: Uint8Array) => {
    const { properties, messageStart } = readProperties(bytes, 8, bytes.length - 2);
    return [
      properties.expiresInMs,
      properties.headers,
      Buffer.from(bytes.subarray(messageStart, -2)).toString(),
    ];
  };
  expect(partsOf(countedDown(frame, 4_000))).toEqual([6_000, [['unit', 'C']], '22.5']);
  expect(partsOf(countedDown(frame, 60_000))).toEqual([1, [['unit', 'C']], '22.5']);
  // The clock of the wall may be set back.
  expect(countedDown(frame, -1)).toBe(frame);
});
