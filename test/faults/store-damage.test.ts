import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { BulkRetrieveRequest, BulkRetrieveResponse } from '../../internal/protocol/smq/smq.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { damageInDataFolder } from '../support/data-folder.ts';
import { DOORS, listening } from '../support/door-writers.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUrl, recordsOf } from '../support/lasting-producer.ts';
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

async function keptByHttp(broker: BrokerProcess): Promise<string[]> {
  const answer = await fetch(`${listening(broker).http[0]}/topics/a?from=earliest`);
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).trim().split('\n');
  return lines.map((line) => (JSON.parse(line) as { payload: string }).payload);
}

async function keptByMqtt(broker: BrokerProcess): Promise<string[]> {
  const client = await connectMqtt(broker.url, 5);
  await client.subscribe('$replay/earliest/a');
  const found: string[] = [];
  while (found.at(-1) !== 'end') {
    const packet = await client.any();
    if (packet.type === PacketType.publish) found.push(String(packet.payload));
  }
  client.drop();
  return found;
}

/** What a client of librdkafka gets until the end of the partition. */
async function keptByKcat(broker: BrokerProcess): Promise<string[]> {
  const address = kafkaUrl(broker).replace(/^\w+:\/\//, '');
  const { stdout } = await promisify(execFile)(
    'kcat',
    ['-C', '-b', address, '-t', 'a', '-p', '0', '-o', 'beginning', '-e', '-q'],
    { timeout: 120_000 },
  );
  return stdout.trim().split('\n');
}

async function keptBySmq(broker: BrokerProcess, count: number): Promise<string[]> {
  const { hostname, port } = new URL(listening(broker).grpc[0]!.replace(/^\w+:/, 'http:'));
  const client = await SmqClient.connect(
    { host: hostname, port: Number(port) },
    {
      ...{ tls: undefined, stop: new AbortController().signal },
      ...{ connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
    },
  );
  const types = { request: BulkRetrieveRequest, response: BulkRetrieveResponse };
  const asked = { topic: 'a', startOffset: 0, limit: count };
  const { messages } = await client.unary('BulkRetrieve', types, asked);
  client.close();
  return messages.map(({ message }) => Buffer.from(message).toString());
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
    await broker.logged({
      msg: 'the store has a problem',
      kind: 'corrupt',
      partition: 0,
      baseOffset: 3,
      lastOffset: 3,
    });
  });

  it.each([
    ['in the middle', [3, 4]],
    ['at the beginning and the end', [0, 7]],
  ])('%s of a log leads a reader of every door past it', async (_, damaged) => {
    const dataDir = newFolder();
    {
      await using broker = await started(dataDir);
      await publishEach(broker, texts);
      expect((await broker.stop()).code).toBe(0);
    }
    const file = segmentOf(dataDir);
    const bytes = readFileSync(file);
    for (const number of damaged) bytes[bytes.indexOf(`text ${number}`) + 100]! ^= 1;
    writeFileSync(file, bytes);
    const whole = texts.filter((_text, number) => !damaged.includes(number));
    await using broker = await startBrokerProcess([...DOORS, '-keep', '#', '-data-dir', dataDir]);
    expect(await keptByHttp(broker)).toEqual(whole);
    const byKafka = await recordsOf(kafkaUrl(broker), 'a', 0);
    expect(byKafka.map(([, text]) => text)).toEqual(whole);
    expect(byKafka.map(([offset]) => texts[offset])).toEqual(whole);
    if (hasKcat) expect(await keptByKcat(broker)).toEqual(whole);
    expect(await kept(broker)).toEqual(whole);
    expect(await keptByMqtt(broker)).toEqual([...whole, 'end']);
    expect(await keptBySmq(broker, whole.length + 1)).toEqual([...whole, 'end']);
    expect((await keptByHttp(broker)).at(-1)).toBe('end');
    const told = broker.log().filter(({ kind }) => kind === 'corrupt');
    expect(told.map(({ baseOffset }) => baseOffset)).toEqual(damaged);
    expect((await broker.stop()).code).toBe(0);
    expect((await damageInDataFolder(dataDir)).join()).toMatch(/offsets? \d/);
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

const hasKcat = spawnSync('kcat', ['-V']).status === 0;
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
