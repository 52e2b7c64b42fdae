import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../../internal/batch/build.ts';
import { startBroker } from '../../../pkg/embed/index.ts';
import { writeKafkaDirectory } from '../../../test/support/kafka-directory.ts';
import { runTinymq } from '../../../test/support/tinymq-program.ts';
import { aborted, committed, plain, sent, transactionBatches } from '../../../test/support/transactions.ts';
import { Progress } from './progress.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ID = 'Kz5JDVxtQ-yVkxjLrKWI3g';

/** A directory as Kafka leaves it, with three messages in one topic. */
function kafkaDirectory(): string {
  const directory = mkdtempSync(join(folder, 'kafka-'));
  writeKafkaDirectory(directory, [{ name: 'orders', topicId: ID, partitionCount: 1 }]);
  const segment = join(directory, 'orders-0', `${'0'.repeat(20)}.log`);
  mkdirSync(join(directory, 'orders-0'), { recursive: true });
  writeFileSync(segment, '');
  for (const [baseOffset, value] of ['a', 'b', 'c'].entries()) {
    const records = [{ timestamp: Date.now(), key: null, value: Buffer.from(value) }];
    appendFileSync(segment, buildBatch(records, { baseOffset, partitionLeaderEpoch: 0 }));
  }
  return directory;
}

describe('tinymq import kafka', () => {
  // It said that 0 topics were imported from a folder that has nothing to do with Kafka.
  it('says that a folder is no log directory', async () => {
    const other = mkdtempSync(join(folder, 'other-'));
    writeFileSync(join(other, 'diary.txt'), 'x');
    expect(await runTinymq(['import', 'kafka', other, '-data-dir', join(folder, 'none')])).toEqual({
      code: 2,
      out: '',
      errors: `tinymq import kafka: ${other} is no log directory of a Kafka: it has no meta.properties (see tinymq import kafka -help)\n`,
    });
  });

  it('copies a log directory, which a broker then serves; a second time it changes nothing', async () => {
    const [directory, dataDir] = [kafkaDirectory(), join(folder, 'data')];
    const done = await runTinymq(['import', 'kafka', directory, '-data-dir', dataDir]);
    expect(done).toEqual({
      code: 0,
      out: `1 topic, 0 groups and 3 new batches are in ${dataDir}, 0.0 MB in all.\n`,
      errors: '',
    });
    const again = await runTinymq(['import', 'kafka', directory, '-data-dir', dataDir, '-json']);
    expect(JSON.parse(again.out)).toEqual({
      ...{
        from: [directory],
        into: dataDir,
        topicCount: 1,
        batchCount: 0,
        groupCount: 0,
        damaged: [],
        unfinished: [],
      },
    });
    await using broker = await startBroker({ dataDir, kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const at = ['-address', broker.url.slice('tcp://'.length)];
    expect((await runTinymq(['consume', 'orders', '-exit', ...at])).out).toBe('a\nb\nc\n');
    expect((await runTinymq(['topics', 'describe', 'orders', ...at])).out).toContain(`TopicId: ${ID}`);
    const locked = await runTinymq(['import', 'kafka', directory, '-data-dir', dataDir]);
    expect(locked).toMatchObject({ code: 1, out: '' });
    expect(locked.errors).toContain(dataDir);
  });

  it('brings what was committed, as plain records in their places, and says what has no end', async () => {
    const [directory, dataDir] = [kafkaDirectory(), join(folder, 'settled')];
    const happenings = [sent(1, 'd'), sent(2, 'e'), committed(1), aborted(2), sent(3, 'f'), plain('g')];
    const segment = join(directory, 'orders-0', `${'0'.repeat(20)}.log`);
    for (const { bytes } of transactionBatches(happenings, 3)) appendFileSync(segment, bytes);
    const done = await runTinymq(['import', 'kafka', directory, '-data-dir', dataDir]);
    expect(done).toMatchObject({ code: 0 });
    expect(done.out).toContain('1 topic, 0 groups and 5 new batches');
    expect(done.errors).toContain(
      "partition 0 of topic 'orders': a transaction without an end, from offset 7 on",
    );
    const again = await runTinymq(['import', 'kafka', directory, '-data-dir', dataDir]);
    expect(again.out).toContain('and 0 new batches');
    await using broker = await startBroker({ dataDir, kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const at = ['-address', broker.url.slice('tcp://'.length)];
    for (const isolation of ['read_committed', 'read_uncommitted']) {
      const consumed = await runTinymq([
        'consume',
        'orders',
        '-exit',
        '-isolation',
        isolation,
        '-json',
        ...at,
      ]);
      const records = consumed.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 8]);
    }
  });

  it('says where there is nothing to import', async () => {
    const nowhere = join(folder, 'nowhere');
    expect(await runTinymq(['import', 'kafka', nowhere])).toMatchObject({
      code: 2,
      errors: `tinymq import kafka: there is no folder ${nowhere} (see tinymq import kafka -help)\n`,
    });
  });
});

describe('the progress', () => {
  const step = { topic: 'orders', partition: 3, copiedBytes: 1_500_000, totalBytes: 3_000_000 };

  function shown(isTTY: boolean, isQuiet: boolean, passedMs: number): string {
    let text = '';
    let now = 0;
    const stream = {
      isTTY,
      write(piece: string) {
        text += piece;
      },
    };
    const progress = new Progress(stream as never, isQuiet, () => now);
    now = passedMs;
    progress.show(step);
    progress.show(step);
    progress.end();
    expect(progress.copiedBytes).toBe(1_500_000);
    return text;
  }

  it('is one line on a terminal, and seldom one elsewhere', () => {
    const line = 'orders [3]: 1.5 of 3.0 MB (50 %)';
    expect(shown(true, false, 200)).toBe(`\r\u001b[K${line}\r\u001b[K`);
    expect(shown(true, false, 50)).toBe('');
    expect(shown(false, false, 6_000)).toBe(`${line}\n`);
    expect(shown(false, false, 200)).toBe('');
    expect(shown(true, true, 6_000)).toBe('');
  });
});
