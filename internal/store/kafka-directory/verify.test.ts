import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flippedBits, withFlipped } from '../../../test/support/flipped-bits.ts';
import { asRecordBatch, writeKafkaDirectory } from '../../../test/support/kafka-directory.ts';
import { rounds } from '../../../test/support/torture.ts';
import { KafkaDirectoryStore } from './kafka-directory-store.ts';
import { verifyKafkaDirectories } from './verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-verify-kafka-'));
const original = join(folder, 'original');
const flipped = join(folder, 'flipped');
afterAll(() => rmSync(folder, { recursive: true }));
const FLIPS = rounds(40);

beforeAll(async () => {
  writeKafkaDirectory(original);
  const store = new KafkaDirectoryStore({ directories: [original], fsync: 'os', segmentBytes: 4_000 });
  await store.open();
  const topic = await store.createTopic({
    ...{ name: 'orders', topicId: new Uint8Array(16).fill(7), configs: { 'retention.ms': '1000' } },
    ...{ partitionCount: 2, createdAtMs: 1_700_000_000_000 },
  });
  for (const { id } of topic.partitions) {
    for (let offset = 0; offset < 80; offset += 2) {
      const span = {
        baseOffset: offset,
        lastOffset: offset + 1,
        count: 2,
        maxTimestamp: 1_700_000_000_000 + offset,
      };
      await store.append(id, asRecordBatch({ ...span, bytes: new Uint8Array(300).fill(offset) }));
    }
    await store.deleteUntil(id, 6);
  }
  await store.putEntries([{ key: 's/client', value: new Uint8Array(500).fill(1) }]);
  await store.saveGroupMembers('group', new Uint8Array(100).fill(7));
  await store.close();
});

async function problemsIn(directory: string): Promise<string[]> {
  const verifying = verifyKafkaDirectories([directory]);
  for (;;) {
    const { done, value } = await verifying.next();
    if (done) return value.problems;
  }
}

/** All that a broker could read; what keeps it from opening is told as that. */
async function contentOf(directory: string): Promise<string> {
  const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os', segmentBytes: 4_000 });
  const { topics, groups, groupMembers } = await store.open();
  const shown: unknown[] = [[...groups], [...groupMembers]];
  for (const { name, topicId, configs, partitions } of topics) {
    for (const { id, number, firstOffset, nextOffset, leaderEpoch } of partitions) {
      const batches = await store.read(id, firstOffset, 1e9);
      const bytes = batches.map((batch) => Buffer.from(batch.bytes).toString('base64'));
      shown.push([name, [...topicId], configs, number, firstOffset, nextOffset, leaderEpoch, bytes]);
    }
  }
  shown.push((await store.readEntries('', 1e9)).map(({ key, value }) => [key, [...value]]));
  await store.close();
  return JSON.stringify(shown);
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((file) => statSync(join(directory, file)).size > 0 && !/^\.lock/.test(file));
}

describe('the directories of a Kafka', () => {
  it('are whole as a broker leaves them', async () => {
    expect(await problemsIn(original)).toEqual([]);
  });

  it('have a word for each flipped bit in each kind of file, unless nothing that can be read is another', async () => {
    const before = await copied().then(() => contentOf(flipped));
    const told = new Map<string, number>();
    for (const [index, file] of filesOf(original).entries()) {
      const bytes = readFileSync(join(original, file));
      for (const bit of flippedBits(bytes.length, Math.min(FLIPS, bytes.length), index + 1)) {
        await copied();
        writeFileSync(join(flipped, file), withFlipped(bytes, bit));
        const problems = await problemsIn(flipped);
        if (problems.length > 0) told.set(kindOf(file), (told.get(kindOf(file)) ?? 0) + 1);
        else expect(await contentOf(flipped), `bit ${bit.bit} of byte ${bit.at} of ${file}`).toBe(before);
      }
    }
    expect([...told.keys()].sort()).toEqual(
      expect.arrayContaining([
        ...['.log', 'leader-epoch-checkpoint', 'log-start-offset-checkpoint', 'partition.metadata'],
        ...['recovery-point-offset-checkpoint', 'tinymq.journal'],
      ]),
    );
  });
});

async function copied(): Promise<void> {
  rmSync(flipped, { recursive: true, force: true });
  cpSync(original, flipped, { recursive: true });
}

function kindOf(file: string): string {
  return /\.(log|index|timeindex|snapshot)$/.exec(file)?.[0] ?? file.split('/').at(-1)!;
}
