import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';
import { withFlipped } from '../support/flipped-bits.ts';
import { urlOf } from '../support/listeners.ts';
import { runTinymq, startTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-logs-'));
const place = (name: string) => join(folder, name);
const file = place('logs.jsonl');
let broker: RunningBroker;

function started(dataDir: string): Promise<RunningBroker> {
  return startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, dataDir, adminSocket: true, sysIntervalMs: 0 },
  });
}

/** Runs `tinymq`, and expects that it succeeds. */
async function done(args: string[], input: string | Uint8Array = ''): Promise<string> {
  const { code, out, errors } = await runTinymq(args, input);
  expect(code, errors).toBe(0);
  return Buffer.from(out, 'latin1').toString();
}

const kafkaOf = (of: RunningBroker) => ['-address', urlOf(of, 'kafka').replace('tcp://', '')];

/** All that `tinymq consume` prints of a log, but for the broker it came from. */
async function consumed(of: RunningBroker, log: string): Promise<object[]> {
  const out = await done(['consume', log, '-exit', '-json', '-quiet', ...kafkaOf(of)]);
  const records = out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  return records
    .map(({ broker: _, ...record }) => record)
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

beforeAll(async () => {
  broker = await started(place('source'));
  const kafka = kafkaOf(broker);
  await done(['topics', 'create', 'orders', '-partitions', '3', '-config', 'retention.ms=-1', ...kafka]);
  await done(['topics', 'create', 'empty', '-partitions', '2', ...kafka]);
  const input = Array.from({ length: 2_500 }, (_, index) => `key-${index}:Bestellung ${index} über`).join(
    '\n',
  );
  await done(['produce', 'orders', '-key-delimiter', ':', '-header', 'type=text', '-quiet', ...kafka], input);
  const binary = place('binary');
  writeFileSync(binary, Buffer.from([0xff, 0x00, 0xfe, 0x0a]));
  await done(['produce', 'orders', binary, '-partition', '1', '-quiet', ...kafka]);
  await done([
    'produce',
    'orders',
    binary,
    '-partition',
    '2',
    '-header',
    'none',
    '-null',
    '-key',
    '',
    ...kafka,
  ]);
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

describe('tinymq logs export', () => {
  it('writes each log with its settings, each record as tinymq consume -json prints it, and their number', async () => {
    expect(await done(['logs', 'export', file, '-data-dir', place('source')])).toBe(
      `Wrote 2,502 records of 2 logs into ${file}.\n`,
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const lines = linesOf(file);
    expect(lines[0]).toEqual({ log: 'empty', partitions: 2, settings: {} });
    expect(lines[1]).toEqual({ log: 'orders', partitions: 3, settings: { 'retention.ms': '-1' } });
    expect(lines.at(-1)).toEqual({ records: 2_502 });
    expect(lines.slice(2, -1)).toEqual(await consumed(broker, 'orders'));
  });

  it('gives the same by the HTTP door and of a store without a broker', async () => {
    const byHttp = place('http.jsonl');
    await done(['logs', 'export', byHttp, 'orders', '-url', urlOf(broker, 'http'), '-quiet']);
    expect(linesOf(byHttp)).toEqual(linesOf(file).filter((_, index) => index !== 0));
    const backup = place('backup.db');
    await done(['backup', backup, '-data-dir', place('source'), '-quiet']);
    await done(['restore', backup, '-data-dir', place('stopped'), '-quiet']);
    const ofStore = place('store.jsonl');
    await done(['logs', 'export', ofStore, '-data-dir', place('stopped'), '-quiet']);
    expect(readFileSync(ofStore).equals(readFileSync(file))).toBe(true);
  });

  it('leaves out a batch that is damaged, says so, and fails', async () => {
    const segment = place('stopped/logs/orders-0/00000000000000000000.log');
    const bytes = readFileSync(segment);
    const { lastOffset: last, end } = parseBatchHeader(bytes, 0);
    writeFileSync(segment, withFlipped(bytes, { at: end - 1, bit: 0 }));
    const rest = place('rest.jsonl');
    const { code, out, errors } = await runTinymq([
      ...['logs', 'export', rest, '-data-dir', place('stopped'), '-json'],
    ]);
    expect([code, errors]).toEqual([
      1,
      `tinymq logs export: log 'orders' partition 0, offsets 0 to ${last}: damaged on the disk, left out\n`,
    ]);
    const damaged = [{ log: 'orders', partition: 0, first: 0, last }];
    const records = 2_502 - (last + 1);
    expect(JSON.parse(out)).toEqual({ file: rest, logs: 2, records, damaged });
    expect(linesOf(rest)).toEqual([
      ...linesOf(file)
        .slice(0, -1)
        .filter(({ partition, offset }) => partition !== 0 || (offset as number) > last),
      { records },
    ]);
  });

  it('leaves nothing where there is no such log', async () => {
    const { code, errors } = await runTinymq([
      ...['logs', 'export', place('none.jsonl'), 'none', '-data-dir', place('source')],
    ]);
    expect([code, errors]).toEqual([1, "tinymq logs export: there is no log 'none'\n"]);
    expect(statSync(place('none.jsonl'), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe('tinymq logs import', () => {
  it('makes the same logs of it in a broker that has none, offsets included', async () => {
    await using target = await started(place('target'));
    expect(await done(['logs', 'import', file, '-url', urlOf(target, 'http')])).toBe(
      'Imported 2,502 records into 2 logs, with their offsets.\n',
    );
    expect(await consumed(target, 'orders')).toEqual(await consumed(broker, 'orders'));
    const again = place('again.jsonl');
    await done(['logs', 'export', again, '-data-dir', place('target'), '-quiet']);
    expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
    // A second time they come behind the others, and that is said.
    expect(await done(['logs', 'import', file, '-data-dir', place('target')])).toBe(
      'Imported 2,502 records into 2 logs, with their offsets in 1 log, with new ones in the others.\n',
    );
    expect(await consumed(target, 'orders')).toHaveLength(5_004);
    const kept = await runTinymq(['logs', 'import', file, '-offsets', 'keep', '-data-dir', place('target')]);
    expect(kept.code).toBe(1);
    expect(kept.errors).toMatch(/log 'orders' partition \d, offset 0 is taken.*; nothing was imported\n$/);
  });

  it('keeps gaps and beginnings of offsets, in a store without a broker', async () => {
    const gaps = place('gaps.jsonl');
    const record = (offset: number) => ({
      ...{ topic: 'gaps', partition: 0, offset, tstype: 'create', ts: 1_700_000_000_000 + offset },
      ...{ key: null, payload: `at ${offset}` },
    });
    const lines = [
      { log: 'gaps', partitions: 1, settings: { 'retention.ms': '-1' } },
      record(7),
      record(8),
      record(20),
      { records: 3 },
    ];
    writeFileSync(gaps, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await done(['logs', 'import', gaps, '-data-dir', place('gaps')]);
    await using target = await started(place('gaps'));
    expect(await consumed(target, 'gaps')).toEqual(lines.slice(1, -1));
    const shown = JSON.parse(await done(['logs', 'show', 'gaps', '-json', '-data-dir', place('gaps')]));
    expect(shown.partitions[0]).toMatchObject({ firstOffset: 7, nextOffset: 21 });
  });

  it.each([
    [
      'is cut',
      (text: string) => text.slice(0, text.lastIndexOf('{')),
      /has no last line: it is not whole; 2,502 records/,
    ],
    [
      'is damaged in the middle',
      (text: string) => text.replace(/"key":"key-(\d+)"(?![\s\S]*"key":"key-)/, '"key":17'),
      /lines up to \d+: .*; [\d,]+ records are imported, up to line \d+; -from-line \d+ goes on there\n$/,
    ],
    [
      'describes no log',
      (text: string) => text.replace(/^.*\n.*\n/, ''),
      /line 1: no line before describes log 'orders'; nothing/,
    ],
  ])('says what was imported of a file that %s', async (what, change, told) => {
    const broken = place('broken.jsonl');
    writeFileSync(broken, change(readFileSync(file, 'utf8')));
    const { code, errors } = await runTinymq([
      'logs',
      'import',
      broken,
      '-data-dir',
      place(`broken ${what}`),
    ]);
    expect(code).toBe(1);
    expect(errors).toMatch(told);
  });

  it('goes on where it was stopped', async () => {
    const large = place('large.jsonl');
    const count = 60_000;
    const padding = 'x'.repeat(200);
    const records = Array.from({ length: count }, (_, offset) =>
      JSON.stringify({ topic: 'l', partition: 0, offset, ts: 1, key: null, payload: `${offset} ${padding}` }),
    );
    writeFileSync(
      large,
      ['{"log":"l","partitions":1,"settings":{}}', ...records, `{"records":${count}}`, ''].join('\n'),
    );
    await using target = await started(place('resumed'));
    using running = startTinymq(['logs', 'import', large, '-data-dir', place('resumed')]);
    const nextOffset = async () => {
      const shown = await fetch(`${urlOf(target, 'http')}/logs/l`);
      return shown.ok
        ? ((await shown.json()) as { partitions: { nextOffset: number }[] }).partitions[0]!.nextOffset
        : 0;
    };
    await eventually(async () => (await nextOffset()) > 0, 'the first records');
    running.child.kill('SIGINT');
    const { code, errors } = await running.ended;
    expect(code, errors).toBe(1);
    const [, line] = /-from-line (\d+) goes on there\n$/.exec(errors)!;
    expect(Number(line)).toBe((await nextOffset()) + 2);
    const args = [
      'logs',
      'import',
      large,
      '-from-line',
      line!,
      '-offsets',
      'keep',
      '-data-dir',
      place('resumed'),
    ];
    expect(await done(args)).toContain('with their offsets');
    expect(await nextOffset()).toBe(count);
  });
});
