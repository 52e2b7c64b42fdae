import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../../../certs/make.ts';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { runTinymq, startTinymq } from '../../../test/support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-records-'));
let broker: RunningBroker;
let at: string[];

beforeAll(async () => {
  broker = await startBroker({ memory: true, kafka: { listen: ['tcp://127.0.0.1:0'] } });
  at = ['-address', broker.url.slice('tcp://'.length)];
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

function produce(topic: string, flags: string[], input: string | Uint8Array = '') {
  return runTinymq(['produce', topic, ...flags, ...at], input);
}

async function consume(topic: string, ...flags: string[]) {
  const { code, out, errors } = await runTinymq(['consume', topic, ...flags, ...at]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return out;
}

function until(condition: () => boolean): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 50_000 });
}

describe('tinymq produce', () => {
  it('sends lines with keys and headers, as kcat does', async () => {
    const flags = ['-key-delimiter', ':', '-header', 'a=b', '-header', 'c', '-null', '-json'];
    const produced = await produce('lines', flags, 'nokey\nk:v:w\n:x\n\ny:\nlast');
    expect(produced).toMatchObject({ code: 0, errors: '' });
    expect(produced.out.split('\n').slice(0, 2)).toEqual([
      '{"topic":"lines","partition":0,"offset":0}',
      '{"topic":"lines","partition":0,"offset":1}',
    ]);
    const lines = (await consume('lines', '-exit', '-json')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      [
        { key: null, payload: 'nokey' },
        { key: 'k', payload: 'v:w' },
        { key: null, payload: 'x' },
        { key: 'y', payload: null },
        { key: null, payload: 'last' },
      ].map((message, offset) => ({
        topic: 'lines',
        partition: 0,
        offset,
        tstype: 'create',
        ts: expect.any(Number),
        broker: 1,
        headers: ['a', 'b', 'c', null],
        ...message,
      })),
    );
    expect(await consume('lines', '-e', '-f', '%t %p %o %k %K %s %S %h|\\n')).toBe(
      'lines 0 0  -1 nokey 5 a=b,c=NULL|\n' +
        'lines 0 1 k 1 v:w 3 a=b,c=NULL|\n' +
        'lines 0 2  -1 x 1 a=b,c=NULL|\n' +
        'lines 0 3 y 1  -1 a=b,c=NULL|\n' +
        'lines 0 4  -1 last 4 a=b,c=NULL|\n',
    );
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('compresses with %s', async (codec) => {
    const input = Array.from({ length: 5_000 }, (_, index) => `line ${index}\n`).join('');
    const sent = { code: 0, out: '', errors: `Sent 5,000 messages to ${codec}.\n` };
    expect(await produce(codec, ['-compression', codec], input)).toEqual(sent);
    expect(await consume(codec, '-exit')).toBe(input);
  });

  // Whoever pipes thousands of lines wants to know that they arrived, and a script wants nothing.
  it('says how many were sent, unless -quiet or -json', async () => {
    const said = async (flags: string[], input: string) => {
      const { code, out, errors } = await produce('counted', flags, input);
      expect(code).toBe(0);
      return [out, errors];
    };
    expect(await said([], 'a\nb\n')).toEqual(['', 'Sent 2 messages to counted.\n']);
    expect(await said([], 'a\n')).toEqual(['', 'Sent 1 message to counted.\n']);
    expect(await said(['-count', '1', '-acks', '0'], 'a\nb\n')).toEqual(['', 'Sent 1 message to counted.\n']);
    expect(await said([], '')).toEqual(['', 'Sent nothing to counted.\n']);
    expect(await said(['-quiet'], 'a\n')).toEqual(['', '']);
    expect((await said(['-json'], 'a\n'))[1]).toBe('');
  });

  it('sends files whole, byte for byte', async () => {
    const file = join(folder, 'payload');
    const bytes = Buffer.from([0xff, 0, 0x0a, 0x41]);
    writeFileSync(file, bytes);
    expect((await produce('files', [file, '-key', 'k'])).code).toBe(0);
    expect(await consume('files', '-exit', '-format', '%K%s')).toBe(`1${bytes.toString('latin1')}`);
    expect(JSON.parse(await consume('files', '-exit', '-json'))).toMatchObject({
      payload: '/wAKQQ==',
      payloadEncoding: 'base64',
    });
    expect(await produce('files', [join(folder, 'nothing')])).toMatchObject({
      code: 1,
      errors: `tinymq produce: cannot read ${join(folder, 'nothing')}: no such file or folder\n`,
    });
  });

  it('chooses the partition by the key as the Java client, or takes the one that is said', async () => {
    await runTinymq(['topics', 'create', 'keyed', '-partitions', '4', ...at]);
    await produce('keyed', ['-K', ':'], '21:a\nfoobar:b\nabc:c\n21:d\n');
    await produce('keyed', ['-partition', '3'], 'e\n');
    const rows = (await consume('keyed', '-exit', '-f', '%p %s\\n')).trimEnd().split('\n');
    const partitionOf = (hash: number) => (hash & 0x7fff_ffff) % 4;
    const expected = [
      `${partitionOf(-973_932_308)} a`,
      `${partitionOf(-790_332_482)} b`,
      `${partitionOf(479_470_107)} c`,
      `${partitionOf(-973_932_308)} d`,
      '3 e',
    ];
    expect(rows.sort()).toEqual(expected.sort());
    const nowhere = await produce('keyed', ['-partition', '4'], 'x\n');
    expect(nowhere).toMatchObject({ code: 1, out: '' });
    expect(nowhere.errors).toContain("topic 'keyed' has no partition 4, only 0 to 3");
  });

  it('sends what comes at once, and all of it when it is stopped', async () => {
    using producer = startTinymq(['produce', 'live', '-acks', '1', '-json', ...at]);
    producer.child.stdin!.write('one\ntw');
    await until(() => producer.out().includes('"offset":0'));
    producer.child.stdin!.write('o\nthree\n');
    await until(() => producer.out().includes('"offset":2'));
    producer.child.kill('SIGINT');
    expect(await producer.ended).toMatchObject({ code: 0, errors: '' });
    expect(await consume('live', '-exit')).toBe('one\ntwo\nthree\n');
  });

  it('loses nothing and sends nothing twice while the broker is away for a moment', async () => {
    const dataDir = mkdtempSync(join(folder, 'data-'));
    const before = await startBroker({ dataDir, kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const address = ['-address', before.url.slice('tcp://'.length)];
    using producer = startTinymq(['produce', 'steady', '-json', ...address]);
    producer.child.stdin!.write('one\n');
    await until(() => producer.out().includes('"offset":0'));
    await before.close();
    producer.child.stdin!.write('two\n');
    await until(() => producer.errors().includes('; trying again'));
    await using _again = await startBroker({ dataDir, kafka: { listen: [before.url] } });
    await until(() => producer.out().includes('"offset":1'));
    producer.child.stdin!.end('three\n');
    expect(await producer.ended).toMatchObject({ code: 0 });
    const { out } = await runTinymq(['consume', 'steady', '-exit', ...address]);
    expect(out).toBe('one\ntwo\nthree\n');
  });

  it('says how much was not acknowledged where the broker stays away', async () => {
    const gone = await startBroker({ memory: true, kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const flags = ['-json', '-request-timeout', '1', '-address', gone.url.slice('tcp://'.length)];
    using producer = startTinymq(['produce', 'lost', ...flags]);
    producer.child.stdin!.write('one\n');
    await until(() => producer.out() !== '');
    await gone.close();
    producer.child.stdin!.write('two\nthree\n');
    const ended = await producer.ended;
    expect(ended.code).toBe(1);
    expect(ended.errors).toContain('connection refused; 2 messages were read and not acknowledged\n');
  });

  it('says what Kafka refused, and how many messages that are', async () => {
    await runTinymq(['topics', 'create', 'small', '-config', 'max.message.bytes=100', ...at]);
    const ended = await produce('small', [], `${'x'.repeat(200)}\n`);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.errors).toMatch(/^tinymq produce: partition 0 of topic 'small': MESSAGE_TOO_LARGE/);
    expect(ended.errors).toContain('; 1 messages were read and not acknowledged\n');
  });
});

describe('tinymq consume', () => {
  beforeAll(async () => {
    await produce('numbers', [], '0\n1\n2\n3\n4\n');
  });

  it.each<[string[], string]>([
    [['-from', 'beginning'], '0\n1\n2\n3\n4\n'],
    [['-from', 'end'], ''],
    [['-from', '3'], '3\n4\n'],
    [['-from', '-2'], '3\n4\n'],
    [['-from', '-99'], '0\n1\n2\n3\n4\n'],
    [['-from', '@0'], '0\n1\n2\n3\n4\n'],
    [['-from', '2101-01-01'], ''],
    [['-from', '-1d', '-count', '2'], '0\n1\n'],
    [['-count', '1', '-delimiter', '\\x00'], '0\0'],
    [['-count', '1', '-key-delimiter', '=', '-null'], 'NULL=0\n'],
  ])('reads %j', async (flags, expected) => {
    expect(await consume('numbers', '-exit', ...flags)).toBe(expected);
  });

  it('goes on from the nearest message where the one asked for is gone, and says so', async () => {
    const { code, out, errors } = await runTinymq(['consume', 'numbers', '-from', '77', '-exit', ...at]);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(errors).toContain("partition 0 of topic 'numbers' has offsets 0 to 5, not 77: going on at 5");
  });

  it('waits for messages, and a signal is a normal end', async () => {
    using consumer = startTinymq(['consume', 'waiting', ...at]);
    await consumer.ended.then(({ code, errors }) => {
      expect(code).toBe(1);
      expect(errors).toContain("topic 'waiting': UNKNOWN_TOPIC_OR_PARTITION");
    });
    await produce('waiting', [], 'first\n');
    using patient = startTinymq(['consume', 'waiting', ...at]);
    await until(() => patient.out() === 'first\n');
    await produce('waiting', [], 'second\n');
    await until(() => patient.out() === 'first\nsecond\n');
    patient.child.kill('SIGINT');
    expect(await patient.ended).toEqual({ code: 0, out: 'first\nsecond\n', errors: '' });
  });

  it('goes on in a group where it ended', async () => {
    expect(await consume('numbers', '-group', 'g', '-count', '2')).toBe('0\n1\n');
    expect(await consume('numbers', '-group', 'g', '-from', '0', '-exit')).toBe('2\n3\n4\n');
    expect(await consume('numbers', '-group', 'other', '-from', '-1', '-exit')).toBe('4\n');
  });

  it('shares the partitions of a topic with the other members of its group', async () => {
    await runTinymq(['topics', 'create', 'shared', '-partitions', '2', ...at]);
    const flags = ['consume', 'shared', '-group', 'team', '-format', '%p:%s ', ...at];
    using first = startTinymq(flags);
    await produce('shared', ['-partition', '0'], 'a\n');
    await until(() => first.out() === '0:a ');
    using second = startTinymq(flags);
    await vi.waitUntil(
      async () => {
        const args = ['groups', 'describe', 'team', '-members', '-json', ...at];
        const { out } = await runTinymq(args);
        const members = out.split('\n').filter((line) => line !== '');
        return members.length === 2 && members.every((line) => JSON.parse(line).assignment.length === 1);
      },
      { timeout: 60_000, interval: 200 },
    );
    await produce('shared', ['-partition', '0'], 'b\n');
    await produce('shared', ['-partition', '1'], 'c\n');
    await until(() => (first.out() + second.out()).length === 12);
    expect((first.out() + second.out()).split(' ').sort()).toEqual(['', '0:a', '0:b', '1:c']);
    expect(first.out() === '0:a ' || second.out() !== '').toBe(true);
    second.child.kill('SIGINT');
    expect((await second.ended).code).toBe(0);
    await produce('shared', ['-partition', '1'], 'd\n');
    await produce('shared', ['-partition', '0'], 'e\n');
    await until(() => first.out().includes('1:d') && first.out().includes('0:e'));
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 0, errors: '' });
  });

  it('connects again when the broker was away', async () => {
    const dataDir = mkdtempSync(join(folder, 'data-'));
    const before = await startBroker({ dataDir, kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const address = ['-address', before.url.slice('tcp://'.length)];
    await runTinymq(['produce', 'back', ...address], 'one\n');
    using consumer = startTinymq(['consume', 'back', ...address]);
    await until(() => consumer.out() === 'one\n');
    await before.close();
    await until(() => consumer.errors().includes('; trying again'));
    await using _again = await startBroker({
      dataDir,
      kafka: { listen: [before.url] },
    });
    await until(() => consumer.errors().includes('reading goes on'));
    await runTinymq(['produce', 'back', ...address], 'two\n');
    await until(() => consumer.out() === 'one\ntwo\n');
    consumer.child.kill('SIGINT');
    expect((await consumer.ended).code).toBe(0);
  });

  it.each<[string[], string]>([
    [['-from', 'yesterday'], "-from 'yesterday' is not one of beginning, end, stored"],
    [['-from', 'stored'], '-from stored needs a -group'],
    [['-group', 'g', '-partition', '0'], '-partition and -group do not go together'],
    [['-format', '%x'], "-format: '%x' is not one of %s %S"],
    [['-format', '%s', '-json'], '-format and -json do not go together'],
  ])('%j is wrong usage', async (flags, message) => {
    const ended = await runTinymq(['consume', 'numbers', ...flags, ...at]);
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.errors).toContain(message);
  });

  it('speaks mutual TLS', async () => {
    const certificates = await makeCertificates(join(folder, 'certs'));
    await using safe = await startBroker({
      memory: true,
      kafka: { listen: ['tls://127.0.0.1:0'] },
      tls: { certFile: certificates.serverCert, keyFile: certificates.serverKey, caFile: certificates.ca },
    });
    const address = safe.url.slice('tls://'.length);
    const flags = ['-address', address, '-tls-ca', certificates.ca];
    const own = ['-tls-cert', certificates.clientCert, '-tls-key', certificates.clientKey];
    expect(await runTinymq(['produce', 'safe', ...flags, ...own], 'secret\n')).toMatchObject({ code: 0 });
    expect(await runTinymq(['consume', 'safe', '-exit', ...flags, ...own])).toMatchObject({
      code: 0,
      out: 'secret\n',
    });
    expect(await runTinymq(['topics', 'list', ...flags])).toMatchObject({ code: 1, out: '' });
    const plain = await runTinymq(['topics', 'list', '-address', address]);
    expect(plain).toMatchObject({ code: 1, out: '' });
  });
});
