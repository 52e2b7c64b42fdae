import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CountedReads } from '../../../test/support/counted-reads.ts';
import { type HandmadeTopic, writeKafkaDirectory } from '../../../test/support/kafka-directory.ts';
import { rounds } from '../../../test/support/torture.ts';
import { buildBatch } from '../../batch/build.ts';
import { setBaseOffset } from '../../batch/record-batch.ts';
import type { NewBatch, StoredBatch, StoreEvent } from '../log-store.ts';
import { encodeProducer } from '../producer-state.ts';
import { CorruptBatchError } from '../store-error.ts';
import { formatKafkaDirectory } from './format.ts';
import { KafkaDirectoryStore } from './kafka-directory-store.ts';

const TOPIC: HandmadeTopic = { name: 'sensors', topicId: 'ml8oAK_iQ6CoGb5lWEQRDQ', partitionCount: 1 };
const SEGMENT = `${'0'.repeat(20)}.log`;

const folders: string[] = [];
const opened: KafkaDirectoryStore[] = [];
const mounts: string[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const mount of mounts.splice(0)) spawnSync('umount', [mount]);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('a directory of another Kafka', () => {
  it('without metadata starts without topics, and gets none', async () => {
    const directory = newFolder();
    mkdirSync(join(directory, 'sensors-0'));
    const { store, state } = await open(directory);
    expect(state).toEqual({ topics: [], groups: new Map(), groupMembers: new Map() });
    await expect(store.createTopic(newTopic('a'))).rejects.toMatchObject({ code: 'unsupported' });
    await store.saveGroupOffsets('g', [commit(3)]);
    const again = await reopen(store, directory);
    expect(again.state.groups).toEqual(new Map([['g', [commit(3)]]]));
  });

  it('that is missing is created, also below others', async () => {
    const { state } = await open(join(newFolder(), 'a', 'b'));
    expect(state.topics).toEqual([]);
  });

  it('has its topic ids from the metadata, and its files as they were', async () => {
    const { directory, folder } = handmade([recordBatch(0, 2), recordBatch(2, 3)]);
    writeFileSync(join(folder, 'partition.metadata'), `version: 0\ntopic_id: ${TOPIC.topicId}\n`);
    mkdirSync(join(directory, 'sensors-0.6d0b6bd1-delete'));
    mkdirSync(join(directory, 'other-0-stray'));
    writeFileSync(join(folder, 'notes.txt'), 'stray');
    const before = readFileSync(join(folder, SEGMENT));
    const { store, state } = await open(directory);
    expect(state.topics).toHaveLength(1);
    expect(Buffer.from(state.topics[0].topicId).toString('base64url')).toBe(TOPIC.topicId);
    expect(state.topics[0].partitions[0]).toMatchObject({
      firstOffset: 0,
      nextOffset: 5,
      sizeBytes: before.length,
    });
    expect(bytesOf(await store.read(1, 0, 1e6))).toEqual(before);
    await store.close();
    expect(readFileSync(join(folder, SEGMENT))).toEqual(before);
    expect(readdirSync(folder).sort()).toEqual([SEGMENT, 'notes.txt', 'partition.metadata']);
    expect(existsSync(join(directory, 'tinymq.journal'))).toBe(false);
    expect(store.identity.clusterId).toBe('hpLIL_4GSmG9tvJRDMPDfQ');
  });

  it('may begin with another offset than its file, and have producers that nobody knows', async () => {
    const producer = { producerId: 4_611_686, producerEpoch: 7, baseSequence: 99 };
    const { directory } = handmade([recordBatch(5, 2, producer), recordBatch(10, 1)]);
    const { store, state } = await open(directory);
    expect(state.topics[0].partitions[0]).toMatchObject({ firstOffset: 0, nextOffset: 11, producers: [] });
    expect(offsetsOf(await store.read(1, 0, 1e6))).toEqual([5, 10]);
    expect(offsetsOf(await store.read(1, 7, 1))).toEqual([10]);
    await store.append(1, asNew(recordBatch(11, 1)));
    expect(offsetsOf(await store.read(1, 10, 1e6))).toEqual([10, 11]);
  });

  it('may have empty segments, missing folders and topics without one', async () => {
    const directory = newFolder();
    writeKafkaDirectory(directory, [{ ...TOPIC, partitionCount: 2 }]);
    mkdirSync(join(directory, 'sensors-1'));
    writeFileSync(join(directory, 'sensors-1', `${'42'.padStart(20, '0')}.log`), '');
    const { store, state } = await open(directory);
    const [first, second] = state.topics[0].partitions;
    expect(first).toMatchObject({ firstOffset: 0, nextOffset: 0, sizeBytes: 0, maxTimestamp: -1 });
    expect(second).toMatchObject({ firstOffset: 42, nextOffset: 42 });
    expect(await store.read(second.id, 0, 1)).toEqual([]);
    await store.append(first.id, asNew(recordBatch(0, 1)));
    await store.append(second.id, asNew(recordBatch(42, 1)));
    expect(readdirSync(join(directory, 'sensors-0'))).toContain(SEGMENT);
  });

  it('of several directories is served from all of them', async () => {
    const { directory } = handmade([recordBatch(0, 1)], { ...TOPIC, partitionCount: 2 });
    const other = newFolder();
    mkdirSync(join(other, 'sensors-1'));
    writeFileSync(join(other, 'sensors-1', SEGMENT), recordBatch(0, 4));
    const store = new KafkaDirectoryStore({ directories: [other, directory], fsync: 'os' });
    opened.push(store);
    const { topics } = await store.open();
    expect(topics[0].partitions.map(({ nextOffset }) => nextOffset)).toEqual([1, 4]);
  });

  it('is not opened twice', async () => {
    const { directory } = handmade([]);
    const { store } = await open(directory);
    await expect(open(directory)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
    expect(readdirSync(directory)).not.toContain('.lock-journal');
    await open(directory);
  });

  it('with damaged metadata, or of a newer Kafka, is refused', async () => {
    const { directory } = handmade([]);
    const log = join(directory, '__cluster_metadata-0', SEGMENT);
    const bytes = readFileSync(log);
    bytes[bytes.length - 9] ^= 1;
    writeFileSync(log, bytes);
    await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' });
    const value = Buffer.from('01020900', 'hex');
    writeFileSync(log, buildBatch([{ timestamp: 0, key: null, value }]));
    await expect(open(directory)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('with a snapshot of its metadata is read from there on', async () => {
    const { directory } = handmade([recordBatch(0, 1)]);
    const metadata = join(directory, '__cluster_metadata-0');
    const snapshot = readFileSync(join(metadata, SEGMENT));
    writeFileSync(join(metadata, `${'100'.padStart(20, '0')}-0000000003.checkpoint`), snapshot);
    writeFileSync(join(metadata, `${'200'.padStart(20, '0')}-0000000004.checkpoint.part`), 'unfinished');
    rmSync(join(metadata, SEGMENT));
    writeFileSync(join(metadata, `${'100'.padStart(20, '0')}.log`), '');
    const { store } = await open(directory);
    await store.alterTopic('sensors', { 'retention.ms': '7' });
    const { state } = await reopen(store, directory);
    expect(state.topics[0]).toMatchObject({ name: 'sensors', configs: { 'retention.ms': '7' } });
  });
});

describe('the end of a segment', () => {
  it.each([
    ['a batch that is cut', () => recordBatch(5, 3).subarray(0, 80), true],
    ['a header that is cut', () => recordBatch(5, 3).subarray(0, 20), true],
    ['zeros', () => new Uint8Array(5_000), false],
    ['something else', () => new Uint8Array(5_000).fill(7), true],
  ])('%s is passed over, and cut off when something is appended', async (_, tail, isKept) => {
    const { directory, folder } = handmade([recordBatch(0, 5)]);
    const file = join(folder, SEGMENT);
    const sizeBytes = statSync(file).size;
    appendFileSync(file, tail());
    const { store, state } = await open(directory);
    const events: StoreEvent[] = [];
    store.onEvent((event) => events.push(event));
    expect(state.topics[0].partitions[0]).toMatchObject({ nextOffset: 5, sizeBytes });
    expect(offsetsOf(await store.read(1, 0, 1e6))).toEqual([0]);
    expect(statSync(file).size).toBe(sizeBytes + tail().length);
    const next = recordBatch(5, 1);
    await store.append(1, asNew(next));
    expect(statSync(file).size).toBe(sizeBytes + next.length);
    const kept = join(folder, `${'0'.repeat(20)}.cut-${sizeBytes}`);
    expect(existsSync(kept)).toBe(isKept);
    expect(events).toEqual(isKept ? [expect.objectContaining({ kind: 'set-aside', file: kept })] : []);
    if (isKept) expect(readFileSync(kept)).toEqual(Buffer.from(tail()));
    expect(
      offsetsOf((await (await reopen(store, directory)).store.read(1, 0, 1e6)) as StoredBatch[]),
    ).toEqual([0, 5]);
  });
});

describe('index files', () => {
  it('that are missing, empty, cut, or tell nonsense do no harm', async () => {
    const { directory, folder } = handmade([]);
    const { store } = await open(directory, { segmentBytes: 400_000 });
    const batches = Array.from({ length: 300 }, (_, index) => recordBatch(index * 2, 2, {}, 5_000));
    await Promise.all(batches.map((bytes) => store.append(1, asNew(bytes))));
    await store.close();
    const expected = Buffer.concat(batches);
    const indexes = readdirSync(folder).filter((name) => name.endsWith('index'));
    expect(indexes.length).toBeGreaterThan(4);
    for (const name of indexes) expect(statSync(join(folder, name)).size).toBeGreaterThan(0);
    const harms: ((file: string) => void)[] = [
      () => {},
      (file) => rmSync(file, { force: true }),
      (file) => writeFileSync(file, ''),
      (file) => truncateSync(file, 13),
      (file) => appendFileSync(file, new Uint8Array(10_000)),
      (file) => writeFileSync(file, Buffer.alloc(1_000, 7)),
      (file) => writeFileSync(file, Buffer.from('000000030000000500000009000000ff', 'hex')),
    ];
    for (const harm of harms) {
      for (const name of indexes) harm(join(folder, name));
      const { store: next, state } = await open(directory, { segmentBytes: 400_000 });
      expect(state.topics[0].partitions[0]).toMatchObject({ nextOffset: 600, sizeBytes: expected.length });
      expect(bytesOf(await next.read(1, 0, 1e8)).equals(expected), String(harm)).toBe(true);
      for (const offset of [1, 77, 333, 599]) {
        expect(offsetsOf(await next.read(1, offset, 1)), String(harm)).toEqual([offset - (offset % 2)]);
        expect(await next.batchForTime(1, 1_000 + offset)).toMatchObject({
          baseOffset: offset - (offset % 2),
        });
      }
      await next.close();
    }
  });

  it('have an entry for every four KiB, as Kafka makes them', async () => {
    const { directory, folder } = handmade([]);
    const { store } = await open(directory);
    const sizes: number[] = [];
    for (let offset = 0; offset < 6; offset++) {
      const bytes = recordBatch(offset, 1, {}, 2_500);
      sizes.push(bytes.length);
      await store.append(1, asNew(bytes));
    }
    await store.close();
    const index = readFileSync(join(folder, SEGMENT.replace('.log', '.index')));
    const entries = [2, 4].map((offset) => [
      offset,
      sizes.slice(0, offset).reduce((sum, size) => sum + size, 0),
    ]);
    const expected = Buffer.alloc(16);
    for (const [at, value] of entries.flat().entries()) expected.writeInt32BE(value, at * 4);
    expect(index).toEqual(expected);
    const times = readFileSync(join(folder, SEGMENT.replace('.log', '.timeindex')));
    expect([times.readBigInt64BE(0), times.readInt32BE(8)]).toEqual([1_002n, 2]);
    expect([times.readBigInt64BE(24), times.readInt32BE(32)]).toEqual([1_005n, 5]);
  });
});

describe('damage', () => {
  it('is reported, never delivered as data, and only once in its place', async () => {
    const { directory, folder } = handmade([]);
    const first = await open(directory);
    const batches = Array.from({ length: 60 }, (_, index) => recordBatch(index * 3, 3, {}, 2_000));
    await Promise.all(batches.map((bytes) => first.store.append(1, asNew(bytes))));
    await first.store.close();
    const file = join(folder, SEGMENT);
    const whole = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), fc.nat(179), async (at, bit, from) => {
        const position = at - (at % batches[0].length);
        // The leader's epoch is checked by nothing, and says nothing of the data.
        fc.pre(at - position < 12 || at - position > 15);
        const harmed = Buffer.from(whole);
        harmed[at] ^= 1 << bit;
        writeFileSync(file, harmed);
        const { store, state } = await open(directory);
        try {
          const events: StoreEvent[] = [];
          store.onEvent((event) => events.push(event));
          const found = await readAll(store, from);
          for (const { baseOffset, bytes } of found) {
            expect(Buffer.from(bytes).equals(Buffer.from(batches[baseOffset / 3]))).toBe(true);
          }
          expect(offsetsOf(found)).toEqual([...new Set(offsetsOf(found))].sort((a, b) => a - b));
          const lost = batches.length - Math.floor(from / 3) - found.length;
          const { nextOffset } = state.topics[0]!.partitions[0]!;
          const isCut = nextOffset < 3 * batches.length;
          const isBehind = Math.floor(from / 3) * batches[0].length > at;
          // A length that leads behind the end of the file looks like what a crash leaves, whatever follows it.
          if (isBehind && !(isCut && at - position < 12)) expect(lost).toBe(0);
          else if (at - position >= 16) expect(lost).toBe(1);
          // That is told when it is cut off.
          if (isCut) await store.append(1, asNew(recordBatch(nextOffset, 1)));
          if (lost > 0) expect(events.length).toBeGreaterThan(0);
        } finally {
          await store.close();
        }
      }),
      { numRuns: rounds(60) },
    );
  });

  it('from before the start is reported also behind which this process has written', async () => {
    const { directory, folder } = handmade([recordBatch(0, 2), recordBatch(2, 2), recordBatch(4, 2)]);
    const bytes = readFileSync(join(folder, SEGMENT));
    bytes[recordBatch(0, 2).length + 65]! ^= 1;
    writeFileSync(join(folder, SEGMENT), bytes);
    const { store } = await open(directory);
    await store.append(1, asNew(recordBatch(6, 2)));
    await expect(store.read(1, 2, 10_000)).rejects.toMatchObject({ baseOffset: 2, lastOffset: 3 });
    expect(offsetsOf(await readAll(store, 0))).toEqual([0, 4, 6]);
  });
});

describe('writing', () => {
  it('takes only record batches that say what they are handed over as', async () => {
    const { directory } = handmade([]);
    const { store } = await open(directory);
    const good = asNew(recordBatch(0, 2));
    for (const bad of [
      { ...good, bytes: Uint8Array.of(1, 2, 3) },
      { ...good, lastOffset: 4 },
      { ...good, bytes: Buffer.concat([good.bytes, good.bytes]) },
      { ...good, bytes: recordBatch(1, 2) },
    ]) {
      await expect(store.append(1, bad)).rejects.toMatchObject({ code: 'invalid' });
    }
    await store.append(1, good);
  });

  it('takes the mark of a clean shutdown away, and puts it back at the end', async () => {
    const { directory } = handmade([recordBatch(0, 1)]);
    const mark = join(directory, '.kafka_cleanshutdown');
    writeFileSync(mark, '{"version":0,"brokerEpoch":112}');
    const { store } = await open(directory);
    expect(existsSync(mark)).toBe(true);
    await store.append(1, asNew(recordBatch(1, 1)));
    expect(existsSync(mark)).toBe(false);
    await store.close();
    expect(readFileSync(mark, 'utf8')).toBe('{"version":0,"brokerEpoch":112}');
    expect(readFileSync(join(directory, 'recovery-point-offset-checkpoint'), 'utf8')).toBe(
      '0\n1\nsensors 0 2\n',
    );
  });

  it('notes the leader epoch of a batch where a new one begins', async () => {
    const { directory, folder } = handmade([recordBatch(0, 1)]);
    const { store } = await open(directory);
    const bytes = recordBatch(1, 1);
    setBaseOffset(bytes, 0, 1, 4);
    await store.append(1, asNew(bytes));
    expect(readFileSync(join(folder, 'leader-epoch-checkpoint'), 'utf8')).toBe('0\n1\n4 1\n');
    const { state } = await reopen(store, directory);
    expect(state.topics[0].partitions[0].leaderEpoch).toBe(4);
  });

  it('finishes a rewrite of segments that a crash interrupted, or takes it back', async () => {
    const { directory, folder } = handmade([recordBatch(0, 1), recordBatch(1, 1)]);
    writeFileSync(join(folder, `${SEGMENT}.swap`), recordBatch(1, 1));
    writeFileSync(join(folder, `${'9'.padStart(20, '0')}.log.cleaned`), 'x');
    writeFileSync(join(folder, `${'7'.padStart(20, '0')}.log.deleted`), 'x');
    const { store } = await open(directory);
    expect(offsetsOf(await store.read(1, 0, 1e6))).toEqual([1]);
    expect(readdirSync(folder)).toEqual([SEGMENT]);
    await store.close();
    writeFileSync(join(folder, `${SEGMENT}.swap`), '');
    writeFileSync(join(folder, `${SEGMENT}.cleaned`), '');
    const again = await open(directory);
    expect(offsetsOf(await again.store.read(1, 0, 1e6))).toEqual([1]);
    expect(readdirSync(folder)).toEqual([SEGMENT]);
  });

  it('forgets the state of producers where Kafka went on meanwhile, and of batches that did not last', async () => {
    const { directory, folder } = handmade([recordBatch(0, 1)]);
    const { store } = await open(directory);
    const producer = (state: number) => ({ id: 5n, state: Uint8Array.of(state) });
    await store.append(1, { ...asNew(recordBatch(1, 1)), producer: producer(1) });
    const sizeBytes = statSync(join(folder, SEGMENT)).size;
    await store.append(1, { ...asNew(recordBatch(2, 1)), producer: producer(2) });
    await store.close();
    truncateSync(join(folder, SEGMENT), sizeBytes);
    const cut = await open(directory);
    expect(cut.state.topics[0].partitions[0].producers).toEqual([producer(1)]);
    await cut.store.saveGroupMembers('g', Uint8Array.of(1));
    const again = await reopen(cut.store, directory);
    expect(again.state.groupMembers).toEqual(new Map([['g', Uint8Array.of(1)]]));
    await again.store.close();
    const kafkas = buildBatch([{ timestamp: 1, key: null, value: Buffer.from('010c00', 'hex') }], {
      isControl: true,
    });
    setBaseOffset(kafkas, 0, 3, 2);
    appendFileSync(join(directory, '__cluster_metadata-0', SEGMENT), kafkas);
    const { state } = await open(directory);
    expect(state.topics[0].partitions[0].producers).toEqual([]);
    expect(state.groupMembers).toEqual(new Map());
  });

  it('reads what groups committed with Kafka; the later commit counts', async () => {
    const offsets = { name: '__consumer_offsets', topicId: 'BzUAAqDLTE-zXqn1RRyfbA', partitionCount: 1 };
    const { directory } = handmade(
      [committed('g', 0, 7), committed('g', 1, 8), committed('h', 0, 9)],
      offsets,
    );
    const { store, state } = await open(directory);
    expect(state.groups.get('g')).toEqual([kafkaCommit(0, 7), kafkaCommit(1, 8)]);
    await store.saveGroupOffsets('g', [commit(100)]);
    await store.deleteGroup('h');
    const again = await reopen(store, directory);
    expect(again.state.groups).toEqual(new Map([['g', [commit(100), kafkaCommit(1, 8)]]]));
  });

  it.runIf(process.getuid?.() === 0)(
    'goes on after a full disk, and nothing acknowledged is lost',
    async () => {
      const mount = newFolder();
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]).status).toBe(0);
      mounts.push(mount);
      const directory = join(mount, 'data');
      writeKafkaDirectory(directory, [TOPIC]);
      const { store } = await open(directory);
      const events: StoreEvent[] = [];
      const recovered = new Promise<StoreEvent>((resolve) => {
        store.onEvent((event) => {
          events.push(event);
          if (event.kind === 'recovered') resolve(event);
        });
      });
      writeFileSync(join(mount, 'filler'), new Uint8Array(1_000_000));
      let nextOffset = 0;
      let failure: unknown;
      while (failure === undefined) {
        try {
          await store.append(1, asNew(recordBatch(nextOffset, 1, {}, 100_000)));
          nextOffset++;
        } catch (error) {
          failure = error;
        }
      }
      expect(failure).toMatchObject({ name: 'StoreUnavailableError', reason: 'disk-full' });
      expect(store.health()).toMatchObject({ status: 'unavailable', waitingChanges: 0, waitingBytes: 0 });
      expect(await readAll(store, 0)).toHaveLength(nextOffset);
      rmSync(join(mount, 'filler'));
      expect(await recovered).toMatchObject({
        state: { topics: [{ partitions: [{ nextOffset }] }] },
      });
      await store.append(1, asNew(recordBatch(nextOffset, 1, {}, 100_000)));
      const again = await reopen(store, directory);
      expect(offsetsOf(await readAll(again.store, 0))).toEqual(
        Array.from({ length: nextOffset + 1 }, (_, at) => at),
      );
    },
  );
});

describe('a crash of the machine', () => {
  it('loses nothing of a group for many files that was acknowledged, though only one file was synced', async () => {
    const directory = newFolder();
    const partitionCount = 5;
    writeKafkaDirectory(directory, [{ ...TOPIC, partitionCount }]);
    const { store, state } = await open(directory);
    const { partitions } = state.topics[0]!;
    const append = (baseOffset: number) =>
      Promise.all(partitions.map(({ id }) => store.append(id, asNew(recordBatch(baseOffset, 1)))));
    await append(0);
    await append(1);
    await store.putMeta('key', Uint8Array.of(1));
    const crashed = copyOf(directory);
    for (const { number } of partitions) truncateSync(join(crashed, `sensors-${number}`, SEGMENT), number);
    const after = await open(crashed);
    for (const { id } of after.state.topics[0]!.partitions) {
      expect(bytesOf(await after.store.read(id, 0, 10_000))).toEqual(
        Buffer.concat([recordBatch(0, 1), recordBatch(1, 1)]),
      );
    }
    expect(await after.store.getMeta('key')).toEqual(Uint8Array.of(1));
  });

  /* A start after a crash read all of each log that no idempotent producer had written to: its end was noted for those only. */
  it('has the next start look at the end of a log only', async () => {
    const directory = newFolder();
    await formatKafkaDirectory(directory);
    const options = { fsync: 'os', segmentBytes: 8 * 1024 ** 2 } as const;
    const store = new KafkaDirectoryStore({ directories: [directory], ...options });
    await store.open();
    const { partitions } = await store.createTopic({
      ...{ name: 'many', topicId: new Uint8Array(16).fill(3), configs: {} },
      ...{ partitionCount: 1, createdAtMs: 1 },
    });
    for (let offset = 0; offset < 6_000; ) {
      const appends: Promise<void>[] = [];
      for (let count = 0; count < 200; count++) {
        appends.push(store.append(partitions[0]!.id, asNew(recordBatch(offset++, 1, {}, 4_000))));
      }
      await Promise.all(appends);
    }
    const crashed = copyOf(directory);
    await store.close();
    for (const place of [crashed, directory]) {
      using reads = new CountedReads('.log');
      const after = new KafkaDirectoryStore({ directories: [place], ...options });
      const { topics } = await after.open();
      expect(topics[0]!.partitions[0]!.nextOffset).toBe(6_000);
      // What was noted lies 2 MiB behind, and a group of batches; and so much is looked at three times.
      expect(reads.bytes).toBeLessThan(10 * 1024 ** 2);
      await after.close();
    }
  });

  it('does not bring back what was compacted or deleted since', async () => {
    const directory = newFolder();
    writeKafkaDirectory(directory, [{ ...TOPIC, partitionCount: 2 }]);
    const { store } = await open(directory);
    await Promise.all([1, 2].map((id) => store.append(id, asNew(recordBatch(0, 4)))));
    await store.append(1, asNew(recordBatch(4, 1)));
    await store.replace(1, 0, 3, [asNew(recordBatch(2, 1))]);
    await store.deleteUntil(2, 4);
    const { store: after, state } = await open(copyOf(directory));
    expect(offsetsOf(await after.read(1, 0, 10_000))).toEqual([2, 4]);
    expect(state.topics[0]!.partitions[1]).toMatchObject({ firstOffset: 4, nextOffset: 4 });
  });

  it.each([1, 700])('knows the producers of %i batches that were acknowledged', async (count) => {
    const { directory } = handmade([recordBatch(0, 1)]);
    const { store } = await open(directory);
    const kept: { firstSequence: number; lastSequence: number; baseOffset: number }[] = [];
    const batchOf = (baseOffset: number) => {
      const firstSequence = baseOffset - 1;
      kept.push({ firstSequence, lastSequence: firstSequence, baseOffset });
      const bytes = recordBatch(baseOffset, 1, {
        producerId: 7,
        producerEpoch: 3,
        baseSequence: firstSequence,
      });
      const { maxTimestamp: lastSeenMs } = asNew(bytes);
      const state = encodeProducer({ epoch: 3, lastSeenMs, batches: kept.slice(-5) });
      return { ...asNew(bytes), producer: { id: 7n, state: new Uint8Array(state) } };
    };
    let last: ReturnType<typeof batchOf> | undefined;
    const appends: Promise<void>[] = [];
    for (let offset = 1; offset <= count; offset++) {
      last = batchOf(offset);
      appends.push(store.append(1, last));
      if (offset % 100 === 0) await Promise.all(appends.splice(0));
    }
    await Promise.all(appends);
    const crashed = await open(copyOf(directory));
    expect(crashed.state.topics[0]!.partitions[0]!.producers).toEqual([last!.producer]);
    const { state } = await reopen(crashed.store, crashed.directory);
    expect(state.topics[0]!.partitions[0]!.producers).toEqual([last!.producer]);
  });
});

describe('topics that are created', () => {
  // A thousand topics took a thousand times what one takes: each waited for the disk six times.
  it('make groups, and folders when something is appended', async () => {
    const { directory } = handmade([]);
    const times: number[] = [];
    const syncs = { observe: (seconds: number) => void times.push(seconds) };
    const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'commit', times: { syncs } });
    opened.push(store);
    await store.open();
    const names = Array.from({ length: 100 }, (_, index) => `topic${index}`);
    const created = await Promise.allSettled(
      [...names, 'topic7'].map((name) => store.createTopic({ ...newTopic(name), topicId: randomBytes(16) })),
    );
    expect(created.map(({ status }) => status)).toEqual([...names.map(() => 'fulfilled'), 'rejected']);
    expect(times.length).toBeLessThan(10);
    expect(readdirSync(directory).filter((name) => name.startsWith('topic'))).toEqual([]);
    const { state } = await reopen(store, directory);
    expect(state.topics.map(({ name }) => name).sort()).toEqual(['sensors', ...names].sort());
    expect(new Set(state.topics.map(({ partitions }) => partitions[0]!.id)).size).toBe(101);
  });

  // Kafka takes a topic out of its metadata first; after a crash in between the folder is still there.
  it('have nothing of what one of the same name has left', async () => {
    const { directory } = handmade([]);
    mkdirSync(join(directory, 'made-0'));
    writeFileSync(join(directory, 'made-0', SEGMENT), recordBatch(0, 2));
    const { store } = await open(directory);
    const made = await store.createTopic(newTopic('made'));
    expect(made.partitions[0]).toMatchObject({ nextOffset: 0, sizeBytes: 0 });
    await store.append(made.partitions[0]!.id, asNew(recordBatch(0, 1)));
    expect(readdirSync(directory).filter((name) => /^made-0\.\w{32}-stray$/.test(name))).toHaveLength(1);
    expect(readdirSync(join(directory, 'made-0'))).toContain('partition.metadata');
  });
});

describe('a change that fails half-way', () => {
  it('is made whole from what the disk says', async () => {
    const { directory, folder } = handmade([recordBatch(0, 2)]);
    const { store } = await open(directory);
    const recovered = () =>
      new Promise<StoreEvent>((resolve) => {
        const end = store.onEvent((event) => {
          if (event.kind !== 'recovered') return;
          end();
          resolve(event);
        });
      });
    await store.createTopic(newTopic('made'));
    // A folder where a file should come.
    mkdirSync(join(folder, `${'2'.padStart(20, '0')}.log`));
    const deleting = recovered();
    await expect(store.deleteUntil(1, 2)).rejects.toMatchObject({ code: 'unavailable' });
    rmSync(join(folder, `${'2'.padStart(20, '0')}.log`), { recursive: true });
    expect(await deleting).toMatchObject({ state: { topics: [{ name: 'made' }, { name: 'sensors' }] } });
    await store.deleteUntil(1, 2);
    const { state } = await reopen(store, directory);
    expect(state.topics.map(({ partitions }) => partitions.length)).toEqual([1, 1]);
    expect(state.topics[1].partitions[0]).toMatchObject({ firstOffset: 2, nextOffset: 2 });
  });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-kafka-'));
  folders.push(folder);
  return folder;
}

/** A directory with one topic, and these batches in the first file of its first partition. */
function handmade(batches: Uint8Array[], topic = TOPIC): { directory: string; folder: string } {
  const directory = newFolder();
  writeKafkaDirectory(directory, [topic]);
  const folder = join(directory, `${topic.name}-0`);
  mkdirSync(folder);
  writeFileSync(join(folder, SEGMENT), Buffer.concat(batches));
  return { directory, folder };
}

async function open(directory: string, more: { segmentBytes?: number } = {}) {
  const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'commit', ...more });
  const state = await store.open();
  opened.push(store);
  return { store, state, directory };
}

/** What a crash leaves of a directory. */
function copyOf(directory: string): string {
  const copy = newFolder();
  cpSync(directory, copy, { recursive: true });
  return copy;
}

async function reopen(store: KafkaDirectoryStore, directory: string) {
  await store.close();
  return open(directory);
}

/** Record `offset` has the time `1000 + offset`. */
function recordBatch(baseOffset: number, count: number, options = {}, valueBytes = 10): Uint8Array {
  const records = Array.from({ length: count }, (_, index) => ({
    timestamp: 1_000 + baseOffset + index,
    key: null,
    value: new Uint8Array(Math.floor(valueBytes / count)).fill(97),
  }));
  return buildBatch(records, { baseOffset, ...options });
}

function asNew(bytes: Uint8Array): NewBatch {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const baseOffset = Number(view.readBigInt64BE(0));
  const lastOffset = baseOffset + view.readInt32BE(23);
  return {
    baseOffset,
    lastOffset,
    count: view.readInt32BE(57),
    maxTimestamp: Number(view.readBigInt64BE(35)),
    bytes,
  };
}

/** Goes on behind what is damaged. */
async function readAll(store: KafkaDirectoryStore, fromOffset: number): Promise<StoredBatch[]> {
  const found: StoredBatch[] = [];
  for (let offset = fromOffset; ; ) {
    try {
      const batches = await store.read(1, offset, 10_000);
      if (batches.length === 0) return found;
      found.push(...batches);
      offset = batches.at(-1)!.lastOffset + 1;
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      expect(error.lastOffset).toBeGreaterThanOrEqual(offset);
      offset = error.lastOffset + 1;
    }
  }
}

function offsetsOf(batches: StoredBatch[]): number[] {
  return batches.map(({ baseOffset }) => baseOffset);
}

function bytesOf(batches: StoredBatch[]): Buffer {
  return Buffer.concat(batches.map(({ bytes }) => bytes));
}

function newTopic(name: string) {
  return { name, topicId: new Uint8Array(16), configs: {}, partitionCount: 1, createdAtMs: 1 };
}

function commit(offset: number) {
  return { topic: 'sensors', partition: 0, offset, leaderEpoch: -1, metadata: '', committedAtMs: 5 };
}

function kafkaCommit(partition: number, offset: number) {
  return { topic: 'sensors', partition, offset, leaderEpoch: 2, metadata: 'm', committedAtMs: 1_000 };
}

/** A commit as Kafka writes it, in a batch of its own. */
function committed(group: string, partition: number, offset: number): Uint8Array {
  const text = (value: string) => {
    const bytes = Buffer.alloc(2 + value.length);
    bytes.writeInt16BE(value.length);
    bytes.write(value, 2);
    return bytes;
  };
  const number = (value: number, byteLength: 2 | 4 | 8) => {
    const bytes = Buffer.alloc(byteLength);
    if (byteLength === 8) bytes.writeBigInt64BE(BigInt(value));
    else bytes.writeIntBE(value, 0, byteLength);
    return bytes;
  };
  const key = Buffer.concat([number(1, 2), text(group), text('sensors'), number(partition, 4)]);
  const value = Buffer.concat([number(3, 2), number(offset, 8), number(2, 4), text('m'), number(1_000, 8)]);
  return buildBatch([{ timestamp: 1, key, value }], { baseOffset: committedCount++ });
}

let committedCount = 0;
