import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { canMountSmallDisk, mountSmallDisk } from '../mqtt/small-disk.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { makeTopic } from '../support/door-writers.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { commitOf, KafkaWire } from '../support/kafka-wire.ts';
import { kafkaUrl, recordsOf } from '../support/lasting-producer.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-kafka-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TOPIC = { name: 'sensors', topicId: 'ml8oAK_iQ6CoGb5lWEQRDQ', partitionCount: 2 };
const STORAGE_ERROR = 56;

function newDirectory(parent = folder): string {
  const directory = join(parent, 'logs');
  rmSync(directory, { recursive: true, force: true });
  writeKafkaDirectory(directory, [TOPIC]);
  return directory;
}

function flagsFor(directory: string): string[] {
  const doors = ['-listen', 'tcp://localhost:0', '-kafka', 'localhost:0', '-http', 'localhost:0'];
  return [...doors, '-kafka-log-dir', directory, '-data-dir', `${directory} sessions`];
}

function dataFolderFlags(dataDir: string): string[] {
  return [
    '-listen',
    'tcp://localhost:0',
    '-kafka',
    'localhost:0',
    '-http',
    'localhost:0',
    '-data-dir',
    dataDir,
  ];
}

/** Produces texts one by one, and says which were acknowledged. */
class Producer {
  readonly acknowledged: string[] = [];
  readonly #wire: KafkaWire;
  #count = 0;

  private constructor(wire: KafkaWire) {
    this.#wire = wire;
  }

  static async of(running: BrokerProcess): Promise<Producer> {
    return new Producer(await KafkaWire.open(kafkaUrl(running)));
  }

  /** Returns the error code of the answer. */
  async produce(sizeBytes = 100): Promise<number> {
    const text = `${this.#count++} `.padEnd(sizeBytes, '.');
    const batch = buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from(text) }], {});
    const { responses } = await this.#wire.ask(produce, 9, {
      ...{ acks: -1, timeoutMs: 10_000 },
      topicData: [{ name: TOPIC.name, partitionData: [{ index: 0, records: batch }] }],
    });
    const { errorCode } = responses[0]!.partitionResponses[0]!;
    if (errorCode === 0) this.acknowledged.push(text);
    return errorCode;
  }

  close(): void {
    this.#wire.close();
  }
}

async function readiness(running: BrokerProcess): Promise<{ status: number; text: string }> {
  const { http } = JSON.parse(running.stdout()) as { http: string[] };
  const response = await fetch(`${http[0]}/readyz`);
  return { status: response.status, text: await response.text() };
}

async function textsIn(running: BrokerProcess): Promise<string[]> {
  return (await recordsOf(kafkaUrl(running), TOPIC.name, 0)).map(([, text]) => text);
}

/** Commits offset 1 for a group, and returns the error code of the answer. */
async function commitFor(running: BrokerProcess, group: string): Promise<number> {
  const wire = await KafkaWire.open(kafkaUrl(running));
  const { topics } = await wire.ask(offsetCommit, 7, commitOf(group, TOPIC.name, 1));
  wire.close();
  return topics[0]!.partitions[0]!.errorCode;
}

async function committed(running: BrokerProcess, groupId: string): Promise<number> {
  const wire = await KafkaWire.open(kafkaUrl(running));
  const asked = [{ name: TOPIC.name, partitionIndexes: [0] }];
  const { topics } = await wire.ask(offsetFetch, 5, { groupId, topics: asked });
  wire.close();
  return topics[0]!.partitions[0]!.committedOffset;
}

describe.skipIf(!canMountSmallDisk())(
  "a Kafka's directory on a full disk (where a small one can be mounted)",
  () => {
    it('refuses what it cannot keep, says so, and goes on when there is room', async () => {
      using disk = mountSmallDisk(64)!;
      const directory = newDirectory(join(disk.dataDir, '..'));
      await using running = await startBrokerProcess(flagsFor(directory));
      const producer = await Producer.of(running);
      const codes = new Set<number>();
      while (!codes.has(STORAGE_ERROR)) codes.add(await producer.produce(900_000));
      expect([...codes]).toEqual([0, STORAGE_ERROR]);
      const { reason } = await running.logged({ msg: 'the store has a problem', kind: 'unavailable' });
      expect(reason).toContain('ENOSPC');
      expect(await readiness(running)).toMatchObject({
        status: 503,
        text: expect.stringMatching(/store|disk/),
      });
      expect(await textsIn(running)).toEqual(producer.acknowledged);
      disk.free();
      await eventually(async () => (await producer.produce()) === 0, 'room for a record');
      await eventually(async () => (await readiness(running)).status === 200, 'ready again');
      expect(await textsIn(running)).toEqual(producer.acknowledged);
      producer.close();
      expect((await running.stop()).code).toBe(0);
    }, 60_000);
  },
);

describe.skipIf(!canMountSmallDisk())('a full disk (where a small one can be mounted)', () => {
  it.each(['a data folder', "a Kafka's directory"])(
    'is told once as long as it is full, with %s',
    async (name) => {
      using disk = mountSmallDisk(64)!;
      const directory = newDirectory(join(disk.dataDir, '..'));
      const flags = name === 'a data folder' ? dataFolderFlags(disk.dataDir) : flagsFor(directory);
      await using running = await startBrokerProcess(flags);
      if (name === 'a data folder') await makeTopic(running, TOPIC.name, 2);
      const producer = await Producer.of(running);
      while ((await producer.produce(900_000)) !== STORAGE_ERROR);
      // Nothing is to be waited for: so many tries of the store as it makes in three seconds.
      const untilMs = performance.now() + 3_000;
      while (performance.now() < untilMs) await producer.produce(900_000);
      const told = () => running.log().map(({ msg }) => msg);
      expect(told()).not.toContain('the store works again');
      disk.free();
      await running.logged({ msg: 'the store works again' });
      await eventually(async () => (await producer.produce()) === 0, 'room for a record');
      expect(await textsIn(running)).toEqual(producer.acknowledged);
      producer.close();
      expect((await running.stop()).code).toBe(0);
    },
    120_000,
  );
});

describe("a Kafka's directory of which files vanish while it is served", () => {
  const segment = join('sensors-0', `${'0'.repeat(20)}.log`);

  it('acknowledges nothing that went into a segment without a name, says so, and starts again', async () => {
    const directory = newDirectory();
    await using running = await startBrokerProcess(flagsFor(directory));
    const producer = await Producer.of(running);
    expect(await producer.produce()).toBe(0);
    rmSync(join(directory, segment));
    expect(await producer.produce()).toBe(STORAGE_ERROR);
    expect(await producer.produce()).toBe(STORAGE_ERROR);
    const { reason } = await running.logged({ msg: 'the store has a problem', kind: 'unavailable' });
    expect(reason).toContain(`${segment} was removed`);
    expect(await readiness(running)).toMatchObject({ status: 503, text: expect.stringContaining(segment) });
    producer.close();
    await running.stop('SIGKILL');
    await using next = await startBrokerProcess(flagsFor(directory));
    const other = await Producer.of(next);
    expect(await other.produce()).toBe(0);
    expect(await textsIn(next)).toEqual(other.acknowledged);
    other.close();
  }, 60_000);

  it.each(['tinymq.journal', 'tinymq.redo'])(
    'makes %s anew, and loses nothing',
    async (file) => {
      const directory = newDirectory();
      let acknowledged: string[];
      {
        await using running = await startBrokerProcess(flagsFor(directory));
        const producer = await Producer.of(running);
        expect(await commitFor(running, 'first')).toBe(0);
        expect(await producer.produce()).toBe(0);
        for (const name of readdirSync(directory)) if (name === file) rmSync(join(directory, name));
        await eventually(async () => (await producer.produce()) === 0, 'a record');
        await eventually(async () => (await commitFor(running, 'second')) === 0, 'a commit');
        await eventually(async () => (await producer.produce()) === 0, 'a record');
        ({ acknowledged } = producer);
        producer.close();
        await running.stop('SIGKILL');
      }
      await using next = await startBrokerProcess(flagsFor(directory));
      expect(await textsIn(next)).toEqual(acknowledged);
      for (const group of ['first', 'second']) expect(await committed(next, group)).toBe(1);
    },
    60_000,
  );
});
