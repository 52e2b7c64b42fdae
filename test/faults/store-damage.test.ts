import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-damage-'));
const mounts: string[] = [];
afterAll(() => {
  for (const mount of mounts) spawnSync('umount', [mount]);
  rmSync(folder, { recursive: true, force: true });
});
let folders = 0;

function newFolder(): string {
  return mkdtempSync(join(folder, `${++folders}-`));
}

/** A small file system; undefined where none may be mounted. */
function mountTmpfs(sizeMiB: number): string | undefined {
  const mount = newFolder();
  const options = ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none', mount];
  if (spawnSync('mount', options).status !== 0) return undefined;
  mounts.push(mount);
  return mount;
}

function started(dataDir: string): Promise<BrokerProcess> {
  return startBrokerProcess(['-address', 'localhost:0', '-log', '#', '-data-dir', dataDir]);
}

/** Publishes texts, each in a batch of its own, and waits until all of them can be read again. */
async function publishEach(broker: BrokerProcess, texts: readonly string[]): Promise<void> {
  await using client = await connectRaw(broker.url, 'publisher');
  await client.subscribe('$replay/earliest/a');
  for (const text of texts) {
    client.publish('a', text);
    expect((await client.message())[1]).toBe(text);
  }
}

/** What topic `a` has from its beginning on. */
async function kept(broker: BrokerProcess): Promise<string[]> {
  await using client = await connectRaw(broker.url, 'reading');
  await client.subscribe('$replay/earliest/a');
  client.publish('a', 'end');
  const texts: string[] = [];
  while (texts.at(-1) !== 'end') texts.push((await client.message())[1]);
  return texts.slice(0, -1);
}

/** The file that has the log of topic `a`. */
const segmentOf = (dataDir: string) => join(dataDir, 'logs', 'a-0', `${'0'.repeat(20)}.log`);

const texts = Array.from({ length: 8 }, (_, number) => `text ${number} ${'.'.repeat(1000)}`);

describe('a broker whose store is damaged', () => {
  it('by one bit tells, delivers all but that message, and goes on', async () => {
    const dataDir = newFolder();
    {
      await using broker = await started(dataDir);
      await publishEach(broker, texts);
      expect((await broker.stop()).code).toBe(0);
    }
    const file = segmentOf(dataDir);
    const bytes = readFileSync(file);
    const at = bytes.indexOf('text 3');
    expect(at).toBeGreaterThan(0);
    bytes[at + 100] ^= 1;
    writeFileSync(file, bytes);
    await using broker = await started(dataDir);
    expect(await kept(broker)).toEqual(texts.filter((text) => !text.startsWith('text 3')));
    await broker.logged({ msg: 'the store has a problem', kind: 'corrupt', baseOffset: 3, lastOffset: 3 });
  });

  it.each([
    ['has what the redo log has of it', true],
    ['has what lies before, without a gap, where the redo log is gone too', false],
  ])('by a torn end of a segment %s', async (_, hasRedoLog) => {
    const dataDir = newFolder();
    {
      await using broker = await started(dataDir);
      await publishEach(broker, texts);
      await broker.stop('SIGKILL');
    }
    const file = segmentOf(dataDir);
    truncateSync(file, statSync(file).size - 2500);
    if (!hasRedoLog) rmSync(join(dataDir, 'logs', 'tinymq.redo'));
    await using broker = await started(dataDir);
    const left = await kept(broker);
    expect(left).toEqual(texts.slice(0, left.length));
    expect(left.length).toBeGreaterThan(0);
    if (hasRedoLog) expect(left).toHaveLength(texts.length);
    else expect(left.length).toBeLessThan(texts.length);
  });

  it('in its database beyond reading sets that aside, tells, and has the logs all the same', async () => {
    const dataDir = newFolder();
    {
      await using broker = await started(dataDir);
      await publishEach(broker, texts);
      await broker.stop();
    }
    writeFileSync(join(dataDir, 'tinymq.db'), Buffer.alloc(100_000, 'no database'));
    await using broker = await started(dataDir);
    const { file } = await broker.logged({ msg: 'the store has a problem', kind: 'set-aside' });
    expect(
      readFileSync(file as string)
        .subarray(0, 11)
        .toString(),
    ).toBe('no database');
    expect(await kept(broker)).toEqual(texts);
  });
});

/** How many messages were not kept, as the log says. */
function lostAtLast(broker: BrokerProcess): number {
  return broker.log().findLast(({ msg }) => msg === 'live messages reach the log again')!.lost as number;
}

const canMount = mountTmpfs(1) !== undefined;

describe('a broker whose disk is full', () => {
  it.skipIf(!canMount)(
    '(where a small one can be mounted) goes on live, counts what it could not keep, and keeps again when there is room',
    async () => {
      const mount = mountTmpfs(24)!;
      const ballast = join(mount, 'ballast');
      writeFileSync(ballast, Buffer.alloc(12 * 1024 * 1024));
      await using broker = await started(join(mount, 'data'));
      await using publisher = await connectRaw(broker.url, 'publisher');
      await using subscriber = await connectRaw(broker.url, 'subscriber');
      await subscriber.subscribe('a');
      let published = 0;
      const publish = async (): Promise<void> => {
        const text = `${published++} `.padEnd(50_000, '.');
        publisher.publish('a', text);
        expect((await subscriber.message())[1]).toBe(text);
      };
      const isFull = () => broker.log().some(({ kind }) => kind === 'unavailable');
      while (!isFull()) await publish();
      for (let count = 0; count < 20; count++) await publish();
      await broker.logged({ msg: 'live messages do not reach the log' });

      rmSync(ballast);
      // The store tries now and then: what comes before it has succeeded is not kept either.
      const isBack = () => broker.log().some(({ msg }) => msg === 'live messages reach the log again');
      await eventually(async () => isBack() || publish().then(isBack), 'a message that is kept');
      const lost = lostAtLast(broker);
      const numbers = (await kept(broker)).map((text) => Number(text.slice(0, text.indexOf(' '))));
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(numbers.at(-1)).toBe(published - 1);
      expect(lost).toBeGreaterThan(0);
      expect(numbers.length + lost).toBe(published);
      expect((await broker.stop()).code).toBe(0);
    },
  );
});
