import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { records } from '../../internal/batch/read.ts';
import { checkBatch, parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { batchAt, openStore, recordAt, SETTINGS } from '../support/compacting.ts';
import { eventually } from '../support/eventually.ts';
import { rounds } from '../support/torture.ts';

const PROGRAM = fileURLToPath(new URL('../support/compacting.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-compaction-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('kill -9 in the middle of compaction, again and again', () => {
  it('loses no last value, brings none back, and gives no offset twice', async () => {
    let acknowledged = 0;
    for (let round = 0; round < rounds(3); round++) {
      acknowledged = await compactUntilKilled(acknowledged + 2000, round);
      const { store, partition } = await openStore(folder);
      expect(partition.highWatermark).toBeGreaterThanOrEqual(acknowledged);
      await checkLog(store, partition);
      await store.close();
    }
    const { store, partition, compactor } = await openStore(folder);
    // The last batch stays as it is, so it has to be a value.
    do {
      const batch = batchAt(partition.highWatermark, 1);
      await store.append(partition.id, batch);
      partition.sizeBytes += batch.bytes.length;
    } while (recordAt(partition.highWatermark++).value === null);
    const settings = { ...SETTINGS, minCleanableDirtyRatio: 0 };
    // Once to find the tombstones, and once for them to go.
    for (let time = 1; time <= 2; time++) await compactor.compact(partition, settings, Date.now() + time);
    const left = await checkLog(store, partition);
    expect(left).toEqual(lastOffsets(partition.highWatermark));
    await store.close();
  });
});

/** Runs the program until it has got to an offset and is in the middle of something. Returns what it acknowledged. */
async function compactUntilKilled(untilOffset: number, round: number): Promise<number> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close');
  try {
    const acknowledged = () => Number(/(\d+)\n(?:compacted\n)*$/.exec(output)?.[1] ?? 0);
    const isFarEnough = () => {
      if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}`);
      return acknowledged() >= untilOffset && output.split('compacted').length > round + 2;
    };
    await eventually(isFarEnough, `offset ${untilOffset} after some compactions`);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
  return Number(lines.findLast((line) => line !== 'compacted'));
}

/** Every record is one that was written, in its place; the last ones of all keys are there. Returns the offsets. */
async function checkLog(
  store: Awaited<ReturnType<typeof openStore>>['store'],
  partition: { id: number; highWatermark: number; sizeBytes: number },
): Promise<number[]> {
  const offsets: number[] = [];
  const state = new Map<string, string>();
  let bytesInAll = 0;
  for (let next = 0; next < partition.highWatermark; ) {
    const batches = await store.read(partition.id, next, 100_000);
    expect(batches.length).toBeGreaterThan(0);
    for (const { baseOffset, lastOffset, bytes } of batches) {
      expect(baseOffset).toBeGreaterThanOrEqual(next);
      const header = parseBatchHeader(bytes, 0);
      checkBatch(bytes, header);
      bytesInAll += bytes.length;
      for (const { offset, timestamp, key, value } of records(bytes, header, 1e6)) {
        const wanted = recordAt(offset);
        expect([offset, timestamp, textOf(key), textOf(value)]).toEqual([
          offset,
          wanted.timestamp,
          textOf(wanted.key),
          textOf(wanted.value),
        ]);
        offsets.push(offset);
        if (value === null) state.delete(textOf(key)!);
        else state.set(textOf(key)!, textOf(value)!);
      }
      next = lastOffset + 1;
    }
  }
  const wanted = lastOffsets(partition.highWatermark).map((offset) => {
    const { key, value } = recordAt(offset);
    return [textOf(key), textOf(value)];
  });
  expect([...state].sort()).toEqual(wanted.sort());
  expect(partition.sizeBytes).toBe(bytesInAll);
  return offsets;
}

/** The offsets of the last values of all keys, without those that were deleted. */
function lastOffsets(nextOffset: number): number[] {
  const last = new Map<string, number>();
  for (let offset = 0; offset < nextOffset; offset++) last.set(textOf(recordAt(offset).key)!, offset);
  return [...last.values()].filter((offset) => recordAt(offset).value !== null).sort((a, b) => a - b);
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString();
}
