import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { BatchHeader, parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { KafkaDirectoryStore } from '../../internal/store/kafka-directory/kafka-directory-store.ts';
import { KafkaSegment } from '../../internal/store/kafka-directory/segment.ts';
import type { NewBatch, StoredState, StoreEvent } from '../../internal/store/log-store.ts';
import { encodeProducer } from '../../internal/store/producer-state.ts';
import { StoreError, StoreUnavailableError } from '../../internal/store/store-error.ts';
import { type DiskError, type DiskWrite, FailingDisk, prepareFailingDisk } from '../support/failing-disk.ts';
import { damageIn, writeKafkaDirectory } from '../support/kafka-directory.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-failing-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(prepareFailingDisk);

/** The store of a test, and which partitions it has. */
interface Used {
  store: KafkaDirectoryStore;
  ids: Map<string, number>;
}

/** Something that a store is asked for: as a whole or not at all, unless it says otherwise. */
interface Step {
  readonly name: string;
  readonly isInParts?: boolean;
  run(used: Used): Promise<unknown>;
}

const entries = (client: string, value: number) => [
  { key: `s/${client}`, value: new Uint8Array(40).fill(value) },
  { key: `r/${client}`, value: Uint8Array.of(value) },
];

/** Everything that a store can be asked for that changes a file, and more than one file where it can. */
const STEPS: readonly Step[] = [
  { name: 'append', run: (used) => append(used, 'sensors 0', 0) },
  { name: 'keep sessions', run: ({ store }) => store.putEntries(entries('a', 1)) },
  {
    name: 'append to several partitions',
    run: (used) =>
      Promise.all([0, 1, 2].map((number) => append(used, `sensors ${number}`, number === 0 ? 2 : 0))),
  },
  {
    name: 'append for a producer',
    run: (used) => append(used, 'sensors 0', 4, { producerId: 7, baseSequence: 0 }),
  },
  { name: 'create a topic', isInParts: true, run: createTopic },
  { name: 'append to the new topic', run: (used) => append(used, 'orders 0', 0) },
  {
    name: 'commit for a group, for the first time',
    isInParts: true,
    run: ({ store }) => store.saveGroupOffsets('readers', [commit(0, 2)]),
  },
  {
    name: 'commit for a group and append, together',
    run: (used) =>
      Promise.all([
        used.store.saveGroupOffsets('readers', [commit(0, 4), commit(1, 1)]),
        append(used, 'sensors 2', 2, { producerId: 8, baseSequence: 0 }),
        used.store.putEntries(entries('b', 2)),
      ]),
  },
  {
    name: 'keep members of a group',
    run: ({ store }) => store.saveGroupMembers('readers', Uint8Array.of(1, 2)),
  },
  {
    name: 'append with a new leader epoch',
    run: (used) => append(used, 'sensors 0', 6, { partitionLeaderEpoch: 3 }),
  },
  {
    name: 'begin a new segment',
    run: (used) => append(used, 'sensors 0', 8, { partitionLeaderEpoch: 3 }, 900),
  },
  { name: 'begin another', run: (used) => append(used, 'sensors 0', 10, { partitionLeaderEpoch: 3 }, 900) },
  {
    name: 'alter a topic',
    isInParts: true,
    run: ({ store }) => store.alterTopic('orders', { 'retention.ms': '5' }),
  },
  { name: 'add partitions', isInParts: true, run: addPartitions },
  {
    name: 'compact',
    isInParts: true,
    run: ({ store, ids }) => store.replace(ids.get('sensors 0')!, 0, 3, [batchAt(2, { count: 1 })]),
  },
  {
    name: 'delete records',
    isInParts: true,
    run: ({ store, ids }) => store.deleteUntil(ids.get('sensors 0')!, 8),
  },
  { name: 'delete a group', isInParts: true, run: ({ store }) => store.deleteGroup('readers') },
  {
    name: 'delete a topic',
    isInParts: true,
    run: ({ store }) => store.deleteTopic('orders').catch(unlessCode('not-found')),
  },
];

/** All that a store has, by what it is of: parts that a change puts or takes away as a whole. */
type Content = Map<string, string>;

/** What there is after each step, where nothing fails. */
const contents: Content[] = [];
let emptyContent: Content;
/** The changes of the disk that each step makes. */
const writesOf: DiskWrite[][] = [];

beforeAll(async () => {
  const directory = newDirectory();
  const used = await opened(directory);
  emptyContent = await contentOf(copyOf(directory));
  using disk = new FailingDisk(directory);
  for (const step of STEPS) {
    const before = disk.writes.length;
    await step.run(used);
    writesOf.push(disk.writes.slice(before));
    contents.push(await contentOf(copyOf(directory)));
  }
  await used.store.close();
});

describe.each<DiskError>(['EIO', 'ENOSPC'])('a disk that says %s', (error) => {
  it.each(STEPS.map((step, index) => ({ ...step, index })))(
    'at any change of a file of $name: nothing acknowledged is lost, nothing else is shown, and it goes on',
    async ({ index }) => {
      expect(writesOf[index]!.length).toBeGreaterThan(0);
      for (const number of numbersToTry(index)) await failAt(index, number, error);
    },
    torturePatienceMs(60_000),
  );
});

describe('changes that come while others are written', () => {
  const next = [0, 0];
  /** Each is begun in a turn of its own, while those before it are under way. */
  const changes: readonly Step[] = Array.from({ length: 24 }, (_, index) => {
    if (index % 5 === 4)
      return { name: `entries ${index}`, run: ({ store }) => store.putEntries(entries(`${index}`, index)) };
    const number = index % 2;
    const baseOffset = next[number]!;
    next[number] = baseOffset + 2;
    const name = `sensors ${number}`;
    return { name: `${name}: ${baseOffset}`, run: (used) => append(used, name, baseOffset) };
  });
  /** What there is after so many of them. */
  const after: string[] = [];

  beforeAll(async () => {
    const directory = newDirectory();
    const used = await opened(directory);
    after.push(textOf(await contentOf(copyOf(directory))));
    for (const change of changes) {
      await change.run(used);
      after.push(textOf(await contentOf(copyOf(directory))));
    }
    await used.store.close();
  });

  it.each<DiskError>(['EIO', 'ENOSPC'])(
    'are answered in their order, and where the disk says %s to one, nothing is there of those behind it',
    async (error) => {
      const writeCount = await failAtWrite(Number.POSITIVE_INFINITY, error);
      const stride = rounds(1) === 1 ? 7 : 1;
      for (let number = 0; number < writeCount; number += stride) await failAtWrite(number, error);
    },
    torturePatienceMs(60_000),
  );

  /** Fails at one write and at all behind it, mends the disk, and begins the rest again. @returns how many writes there were */
  async function failAtWrite(number: number, error: DiskError): Promise<number> {
    const directory = newDirectory();
    const used = await opened(directory);
    using disk = new FailingDisk(directory);
    const recovered = untilRecovered(used.store);
    disk.failFrom(number, error);
    const made = await begin(used, changes);
    const at = `${made} of ${changes.length}, ${error} at ${JSON.stringify(disk.writes.at(-1))}`;
    const writeCount = disk.writes.length;
    if (made < changes.length) {
      expect(after.slice(made), `${at}: after a crash`).toContain(textOf(await contentOf(copyOf(directory))));
      disk.mend();
      note(used, await recovered);
      expect(textOf(await contentOf(copyOf(directory))), `${at}: recovered`).toBe(after[made]);
      expect(await begin(used, changes.slice(made)), at).toBe(changes.length - made);
    }
    disk.mend();
    await used.store.close();
    expect(textOf(await contentOf(directory)), at).toBe(after.at(-1));
    expect(await damageIn(directory), at).toEqual([]);
    rmSync(directory, { recursive: true });
    return writeCount;
  }

  /** @returns how many were acknowledged: none behind one that was not, and in their order. */
  async function begin(used: Used, steps: readonly Step[]): Promise<number> {
    const made: string[] = [];
    const ends: Promise<unknown>[] = [];
    for (const { name, run } of steps) {
      ends.push(
        run(used).then(
          () => made.push(name),
          (reason) => expect(reason).toBeInstanceOf(StoreUnavailableError),
        ),
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(ends);
    expect(made).toEqual(steps.slice(0, made.length).map(({ name }) => name));
    return made.length;
  }

  function textOf(content: Content): string {
    return [...content]
      .map((line) => line.join(': '))
      .sort()
      .join('\n');
  }
});

it('topics that are created while others are: the metadata log has no gap in its offsets, wherever it ends', async () => {
  for (let number = 0, wasTold = true; wasTold; number++) {
    const directory = newDirectory();
    const { store } = await opened(directory);
    using disk = new FailingDisk(directory);
    disk.failFrom(number, 'EIO');
    const created = Array.from({ length: 8 }, async (_, index) => {
      // The first one alone, so that the others come while it is written.
      if (index > 0) await new Promise((resolve) => setImmediate(resolve));
      const topicId = new Uint8Array(16).fill(index + 1);
      await store.createTopic({ name: `t${index}`, topicId, configs: {}, partitionCount: 4, createdAtMs: 1 });
    });
    wasTold = (await Promise.allSettled(created)).some(({ status }) => status === 'rejected');
    const crashed = join(copyOf(directory), '__cluster_metadata-0');
    const bases = readdirSync(crashed).flatMap((name) => /^(\d{20})\.log$/.exec(name)?.[1] ?? []);
    const ends = bases.sort().map((base) => {
      const segment = join(crashed, base);
      return new KafkaSegment(segment, Number(base), statSync(`${segment}.log`).size).openAtEnd().nextOffset;
    });
    expect(bases.slice(1).map(Number), JSON.stringify(disk.writes.at(-1))).toEqual(ends.slice(0, -1));
    disk.mend();
    await store.close();
    rmSync(directory, { recursive: true });
    if (!wasTold) expect(bases.length).toBeGreaterThan(1);
  }
});

it('a sync beside the appends that fails is told at once, where nobody writes; what it was for is there', async () => {
  const directory = newDirectory();
  const { store, ids } = await opened(directory);
  using disk = new FailingDisk(directory);
  const recovered = untilRecovered(store);
  const problem = new Promise<StoreEvent>((resolve) => {
    store.onEvent((event) => event.kind === 'unavailable' && resolve(event));
  });
  const appended: number[] = [];
  const appendNext = async () => {
    await append({ store, ids }, 'sensors 0', appended.length * 2);
    appended.push(appended.length * 2);
  };
  // The append that finds a file of the redo log full has what it holds synced beside it.
  disk.failNext('datasync', 'sensors-0/00000000000000000000.log', 'EIO');
  while (disk.isWaiting) await appendNext();
  expect(await problem).toMatchObject({ reason: expect.stringContaining('EIO') });
  expect(store.health()).toMatchObject({ status: 'unavailable', problem: expect.stringContaining('EIO') });
  await expect(appendNext()).rejects.toMatchObject({ code: 'unavailable', reason: 'failed' });
  await recovered;
  await appendNext();
  const offsets = async (of: KafkaDirectoryStore) =>
    (await of.read(ids.get('sensors 0')!, 0, 1e9)).map(({ baseOffset }) => baseOffset);
  expect(await offsets(store)).toEqual(appended);
  const crashed = await opened(copyOf(directory));
  expect(await offsets(crashed.store)).toEqual(appended);
  await Promise.all([store.close(), crashed.store.close()]);
});

/** All changes of the disk in a long run, otherwise the first of each kind. */
function numbersToTry(index: number): number[] {
  const kindsBefore = new Set(writesOf.slice(0, index).flatMap((writes) => writes.map(kindOf)));
  const numbers: number[] = [];
  for (const [number, write] of writesOf[index]!.entries()) {
    if (rounds(1) === 1 && kindsBefore.has(kindOf(write))) continue;
    kindsBefore.add(kindOf(write));
    numbers.push(number);
  }
  return numbers;
}

function kindOf({ call, path }: DiskWrite): string {
  return `${call} ${path.replaceAll(/\d+|[0-9a-f]{32}/g, '')}`;
}

/** Fails at one write of a step and at all behind it, mends the disk, and makes the steps that are left. */
async function failAt(index: number, number: number, error: DiskError): Promise<void> {
  const directory = newDirectory();
  const used = await opened(directory);
  using disk = new FailingDisk(directory);
  for (const step of STEPS.slice(0, index)) await step.run(used);
  const before = contents[index - 1] ?? emptyContent;
  const after = contents[index]!;
  const step = STEPS[index]!;
  const recovered = untilRecovered(used.store);
  disk.failFrom(number, error);
  const outcome = await step.run(used).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const at = `${step.name}, ${error} at ${JSON.stringify(disk.writes.at(-1))}`;
  if (outcome === undefined) {
    // Files beside the batches, which are made anew where they are missing.
    await expectBetween(await contentOf(copyOf(directory)), after, after, at);
  } else {
    expect(outcome, at).toBeInstanceOf(StoreUnavailableError);
    expect((outcome as StoreUnavailableError).reason, at).toBe(error === 'ENOSPC' ? 'disk-full' : 'failed');
    expect(used.store.health(), at).toMatchObject({
      status: 'unavailable',
      problem: expect.stringContaining(error),
    });
    expectBetween(await contentOf(copyOf(directory)), before, after, `${at}: after a crash`);
  }
  disk.mend();
  if (outcome !== undefined) {
    note(used, await recovered);
    const shown = await contentOf(copyOf(directory));
    expectBetween(shown, before, step.isInParts ? after : before, `${at}: recovered`);
    await step.run(used).catch(unlessCode('exists'));
  }
  let wasTold = outcome !== undefined;
  for (const next of STEPS.slice(index + 1)) {
    await next.run(used).catch(async (reason) => {
      // What the disk refused in the background is told to the change that comes next, of which nothing was written.
      if (wasTold || !(reason instanceof StoreUnavailableError)) throw reason;
      wasTold = true;
      note(used, await recovered);
      await next.run(used);
    });
  }
  await used.store.close();
  expect(await contentOf(directory), at).toEqual(contents.at(-1));
  expect(await damageIn(directory), at).toEqual([]);
  rmSync(directory, { recursive: true });
}

/** Nothing is missing that both have, and nothing is there that none has. */
function expectBetween(content: Content, before: Content, after: Content, at: string): void {
  for (const [key, value] of content) {
    expect([before.get(key), after.get(key)], `${at}: ${key}`).toContain(value);
  }
  for (const [key, value] of before) {
    if (after.get(key) === value) expect(content.get(key), `${at}: ${key}`).toBe(value);
  }
}

async function contentOf(directory: string): Promise<Content> {
  const store = new KafkaDirectoryStore({ directories: [directory], ...OPTIONS });
  const content: Content = new Map();
  const { topics, groups, groupMembers } = await store.open();
  for (const { name, configs, partitions } of topics) {
    if (name.startsWith('__')) continue;
    content.set(`topic ${name}`, JSON.stringify(configs));
    for (const { id, number, firstOffset, nextOffset, producers } of partitions) {
      content.set(`partition ${name} ${number}`, '');
      for (const producer of producers) content.set(`producer ${name} ${number}`, `${producer.id}`);
      content.set(`first offset ${name} ${number}`, `${firstOffset}`);
      for (const { baseOffset, bytes } of await store.read(id, firstOffset, 1e9)) {
        content.set(`batch ${name} ${number} ${baseOffset}`, Buffer.from(bytes).toString('base64'));
      }
      content.set(`next offset ${name} ${number}`, `${nextOffset}`);
    }
  }
  for (const [group, commits] of groups) {
    for (const { topic, partition, offset } of commits)
      content.set(`commit ${group} ${topic} ${partition}`, `${offset}`);
  }
  for (const [group, members] of groupMembers) content.set(`members ${group}`, members.join());
  for (const { key, value } of await store.readEntries('', 1e9)) content.set(`entry ${key}`, value.join());
  await store.close();
  return content;
}

/** Small files of the redo log, so that they take turns all the time. */
const OPTIONS = { fsync: 'commit', segmentBytes: 800, redoBytes: 1_500, offsetsPartitions: 2 } as const;

async function opened(directory: string): Promise<Used> {
  const store = new KafkaDirectoryStore({ directories: [directory], ...OPTIONS });
  const used: Used = { store, ids: new Map() };
  note(used, await store.open());
  return used;
}

function note({ ids }: Used, { topics }: StoredState): void {
  for (const { name, partitions } of topics) {
    for (const { id, number } of partitions) ids.set(`${name} ${number}`, id);
  }
}

function untilRecovered(store: KafkaDirectoryStore): Promise<StoredState> {
  return new Promise((resolve) => {
    store.onEvent((event: StoreEvent) => {
      if (event.kind === 'recovered') resolve(event.state as StoredState);
    });
  });
}

function append(
  { store, ids }: Used,
  partition: string,
  baseOffset: number,
  options: { producerId?: number; baseSequence?: number; partitionLeaderEpoch?: number } = {},
  valueBytes = 20,
): Promise<void> {
  const batch = batchAt(baseOffset, { ...options, valueBytes });
  const { producerId, baseSequence: firstSequence = 0 } = options;
  if (producerId === undefined) return store.append(ids.get(partition)!, batch);
  const kept = [{ firstSequence, lastSequence: firstSequence + 1, baseOffset }];
  const state = encodeProducer({ epoch: 0, lastSeenMs: batch.maxTimestamp, batches: kept });
  const producer = { id: BigInt(producerId), state: new Uint8Array(state) };
  return store.append(ids.get(partition)!, { ...batch, producer });
}

function batchAt(baseOffset: number, { count = 2, valueBytes = 20, ...options } = {}): NewBatch {
  const records = Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000 + baseOffset + index,
    key: null,
    value: new Uint8Array(valueBytes / count).fill(97 + baseOffset),
  }));
  const isOfProducer = 'producerId' in options;
  const bytes = buildBatch(records, { baseOffset, ...(isOfProducer && { producerEpoch: 0 }), ...options });
  const { lastOffset, recordCount, maxTimestamp } = parseBatchHeader(bytes, 0, new BatchHeader());
  return { baseOffset, lastOffset, count: recordCount, maxTimestamp, bytes };
}

async function createTopic(used: Used): Promise<void> {
  const topic = { name: 'orders', topicId: new Uint8Array(16).fill(5), configs: {} };
  await used.store
    .createTopic({ ...topic, partitionCount: 1, createdAtMs: 1 })
    .then(({ name, partitions }) => {
      for (const { id, number } of partitions) used.ids.set(`${name} ${number}`, id);
    });
}

async function addPartitions({ store, ids }: Used): Promise<void> {
  for (const { id, number } of await store.addPartitions('orders', 3)) ids.set(`orders ${number}`, id);
}

function commit(partition: number, offset: number) {
  return { topic: 'sensors', partition, offset, leaderEpoch: -1, metadata: '', committedAtMs: 5 };
}

function unlessCode(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof StoreError) || error.code !== code) throw error;
  };
}

let directories = 0;

function newDirectory(): string {
  const directory = join(folder, `${directories++}`);
  writeKafkaDirectory(directory, [{ name: 'sensors', topicId: 'ml8oAK_iQ6CoGb5lWEQRDQ', partitionCount: 3 }]);
  return directory;
}

/** What a crash leaves. */
function copyOf(directory: string): string {
  const copy = join(folder, `${directories++}`);
  cpSync(directory, copy, { recursive: true });
  return copy;
}
