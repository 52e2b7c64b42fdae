import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { commitOf, KafkaWire } from '../support/kafka-wire.ts';
import { recordsOf } from '../support/lasting-producer.ts';
import { urlOf } from '../support/listeners.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const IN_FLIGHT = 200;
const folder = mkdtempSync(join(tmpdir(), 'tinymq-backup-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string) => join(folder, name);

function started(dataDir: string): Promise<RunningBroker> {
  return startBroker({
    listen: ['tcp://127.0.0.1:0'],
    dataDir,
    keep: [{ filter: 'load' }],
    adminSocket: true,
    sysIntervalMs: 0,
  });
}

/** Publishes with QoS 1 until it is stopped; counts what was acknowledged. */
class Load {
  acknowledged = 0;
  #isStopped = false;
  readonly ended: Promise<void>;

  constructor(url: string) {
    this.ended = this.#run(url);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.ended;
  }

  async #run(url: string): Promise<void> {
    const client = await connectMqtt(url, 4);
    let sent = 0;
    while (!this.#isStopped || this.acknowledged < sent) {
      while (!this.#isStopped && sent - this.acknowledged < IN_FLIGHT) {
        client.publish('load', String(sent++), { qos: 1 });
      }
      await client.next(PacketType.puback);
      this.acknowledged++;
    }
    client.drop();
  }
}

/** What the log of `load` holds, once a reader has come to this message. */
async function logOf(broker: RunningBroker, last: number): Promise<{ offset?: number; text: string }[]> {
  await using client = await connect(urlOf(broker, 'frames'));
  const found: { offset?: number; text: string }[] = [];
  const take = (message: { offset?: number; text(): string }) => {
    found.push({ offset: message.offset, text: message.text() });
  };
  await client.subscribe('load', take, { from: 'earliest' });
  await eventually(() => found.length > last, `message ${last}`);
  return found;
}

describe('a backup of a broker that acknowledges thousands of messages a second', () => {
  const source = place('source');
  const file = place('backup.db');
  let acknowledgedBefore: number;

  beforeAll(async () => {
    const added = await runTinymq(['users', 'add', 'anna', '-no-password', '-data-dir', source, '-quiet']);
    expect(added.code, added.errors).toBe(0);
    const rules = await runTinymq([
      'acl',
      'add',
      '-allow',
      'all',
      '-users',
      'anonymous',
      '-data-dir',
      source,
    ]);
    expect(rules.code, rules.errors).toBe(0);
    await using broker = await started(source);
    const url = urlOf(broker, 'frames');
    const mqtt = await connectMqtt(url, 4, { clientId: 'lasting', cleanStart: false });
    await mqtt.subscribe('jobs', 1);
    await mqtt.publishSafely('kept', 'r', { retain: true });
    mqtt.drop();
    const load = new Load(url);
    await eventually(() => load.acknowledged > 2_000, 'some load');
    acknowledgedBefore = load.acknowledged;
    const { code, errors } = await runTinymq(['backup', file, '-data-dir', source]);
    expect(code, errors).toBe(0);
    expect(load.acknowledged).toBeGreaterThan(acknowledgedBefore);
    await load.stop();
  });

  it('is a file for its owner, with nothing beside it', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([`${file}.part`, `${file}-wal`, `${file}-shm`].filter(existsSync)).toEqual([]);
  });

  it('holds all that was acknowledged before, in its order, when it is restored', async () => {
    const restored = place('restored');
    const { code, out, errors } = await runTinymq(['restore', file, '-data-dir', restored]);
    expect(code, errors).toBe(0);
    expect(out).toMatch(/^Restored 1 topic with [\d,]+ messages .* into /);
    expect(existsSync(join(restored, 'tinymq.has-users'))).toBe(true);
    await using broker = await started(restored);
    const log = await logOf(broker, acknowledgedBefore - 1);
    expect(log.every(({ offset, text }, index) => offset === index && text === String(index))).toBe(true);
    const mqtt = await connectMqtt(urlOf(broker, 'frames'), 4);
    await mqtt.subscribe('kept', 0);
    expect(await mqtt.texts(1)).toEqual(['kept r']);
    mqtt.drop();
    const again = await connectMqtt(urlOf(broker, 'frames'), 4, { clientId: 'lasting', cleanStart: false });
    again.publish('jobs', 'still subscribed');
    expect(await again.texts(1)).toEqual(['jobs still subscribed']);
    again.drop();
  });

  it('is whole, and so are the stores it came from and went to', async () => {
    for (const args of [
      ['verify', file],
      ['verify', '-data-dir', source],
    ]) {
      const { code, out, errors } = await runTinymq([...args, '-json']);
      expect(code, errors).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ isWhole: true, topics: 1, problems: [] });
    }
  });

  it('does not go over what is there', async () => {
    const before = readFileSync(file);
    const backup = await runTinymq(['backup', file, '-data-dir', source]);
    expect([backup.code, backup.errors]).toEqual([1, `tinymq backup: there is a file ${file} already\n`]);
    expect(readFileSync(file).equals(before)).toBe(true);
    const restore = await runTinymq(['restore', file, '-data-dir', source]);
    expect([restore.code, restore.errors]).toEqual([
      1,
      `tinymq restore: there is a store in ${source} already\n`,
    ]);
  });

  it('leaves nothing behind where there is no room for it or no store', async () => {
    const nowhere = await runTinymq(['backup', place('none/x.db'), '-data-dir', source]);
    expect(nowhere.code).toBe(1);
    expect(nowhere.errors).toContain('no such');
    const empty = await runTinymq(['backup', place('y.db'), '-data-dir', place('empty')]);
    expect([empty.code, empty.errors]).toEqual([
      1,
      `tinymq backup: there is no store in ${place('empty')}\n`,
    ]);
    expect([place('y.db'), place('y.db.part'), place('empty')].filter(existsSync)).toEqual([]);
  });

  it.each([
    ['a message', 'load', /topic 'load' partition 0, offsets \d+ to \d+: the bytes are not what was written/],
    ['a retained message', 'kept', /sessions, retained messages, users, topics or offsets are not what/],
    ['a session', 'lasting', /sessions, retained messages, users, topics or offsets are not what/],
    ['a user', 'anna', /sessions, retained messages, users, topics or offsets are not what/],
  ])('is not restored where a bit of %s has flipped', async (kind, text, problem) => {
    const damaged = place(`damaged-${text}.db`);
    copyFileSync(file, damaged);
    if (kind === 'a message') flipInBatch(damaged);
    else await flip(damaged, text);
    const verified = await runTinymq(['verify', damaged]);
    expect(verified.code).toBe(1);
    expect(verified.errors).toMatch(problem);
    const target = place(`never-${text}`);
    const restored = await runTinymq(['restore', damaged, '-data-dir', target]);
    expect(restored.code).toBe(1);
    expect(restored.errors).toContain('nothing was restored');
    expect(existsSync(target)).toBe(false);
  });

  it('is not taken from or for a file of somebody else', async () => {
    const other = place('other.db');
    const db = new DatabaseSync(other);
    db.exec('CREATE TABLE meta (key TEXT, value BLOB)');
    db.close();
    const { code, errors } = await runTinymq(['verify', other]);
    expect([code, errors]).toEqual([1, `tinymq verify: ${other} is an SQLite file of another program\n`]);
    const cut = place('cut.db');
    mkdirSync(folder, { recursive: true });
    copyFileSync(file, cut);
    await using handle = await open(cut, 'r+');
    await handle.truncate(statSync(cut).size - 3 * 16_384);
    const restored = await runTinymq(['restore', cut, '-data-dir', place('never-cut')]);
    expect(restored.code).toBe(1);
    expect(existsSync(place('never-cut'))).toBe(false);
  });
});

/** A byte of the page that holds a text is another. */
async function flip(path: string, text: string): Promise<void> {
  const at = readFileSync(path).indexOf(text);
  expect(at).toBeGreaterThan(0);
  await using handle = await open(path, 'r+');
  await handle.write(Buffer.from([text.charCodeAt(0) ^ 1]), 0, 1, at);
}

/** One bit of the bytes of a batch in a backup, as the disk might do it. */
function flipInBatch(path: string): void {
  const db = new DatabaseSync(path);
  const { id, bytes } = db.prepare('SELECT id, bytes FROM batch_bytes LIMIT 1').get() as {
    id: number;
    bytes: Uint8Array;
  };
  bytes[bytes.length - 1]! ^= 1;
  db.prepare('UPDATE batch_bytes SET bytes = ? WHERE id = ?').run(bytes, id);
  db.close();
}

describe('a store', () => {
  it('is verified where it is, and a damaged batch is named', async () => {
    const dataDir = place('verified');
    await using broker = await started(dataDir);
    const mqtt = await connectMqtt(urlOf(broker, 'frames'), 4);
    await mqtt.publishSafely('load', 'one');
    mqtt.drop();
    await broker.close();
    await flip(join(dataDir, 'logs', 'load-0', `${'0'.repeat(20)}.log`), 'one');
    const problem = "topic 'load' partition 0, offsets 0 to 0: the bytes are not what was written";
    const expectProblem = async () => {
      const { code, out } = await runTinymq(['verify', '-data-dir', dataDir, '-json']);
      expect(code).toBe(1);
      expect(JSON.parse(out)).toMatchObject({
        isWhole: false,
        problems: [expect.stringContaining(problem)],
      });
    };
    await expectProblem();
    // A broker that runs reads the same files.
    await using again = await started(dataDir);
    await expectProblem();
    // What can be read is copied; the rest is named, and nobody takes the copy for a whole one.
    const file = place('damaged-store.db');
    const { code, errors } = await runTinymq(['backup', file, '-data-dir', dataDir]);
    expect([code, errors]).toEqual([
      1,
      "tinymq backup: topic 'load' partition 0, offsets 0 to 0: they are damaged in the store, and not in the backup\n",
    ]);
    expect((await runTinymq(['verify', file])).code).toBe(0);
    await again.close();
  });
});

const TOPIC = { name: 'sensors', topicId: 'ml8oAK_iQ6CoGb5lWEQRDQ', partitionCount: 3 };

/** Two log directories of a Kafka; its metadata name the second one for partitions that have no folder yet. */
function logDirectories(name: string): [string, string] {
  const [first, second] = [place(`${name}-1`), place(`${name}-2`)];
  writeKafkaDirectory(first, [TOPIC]);
  mkdirSync(join(first, 'sensors-0'));
  mkdirSync(second);
  const file = join(first, 'meta.properties');
  const identity = readFileSync(file, 'utf8');
  writeFileSync(join(second, 'meta.properties'), identity);
  writeFileSync(file, identity.replace(/directory\.id=.*/, 'directory.id=bPWeOqAWV2C7QCsDADyggA'));
  return [first, second];
}

function startedOnLogDirs(directories: readonly string[]): Promise<RunningBroker> {
  return startBroker({
    listen: [],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    kafkaLogDirs: { directories },
    adminSocket: true,
    sysIntervalMs: 0,
  });
}

/** Produces to all partitions in turn until it is stopped, and commits where it is; remembers what was acknowledged. */
class LogLoad {
  readonly acknowledged: [string[], string[], string[]] = [[], [], []];
  committed = 0;
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(url: string) {
    this.#ended = this.#run(url);
  }

  get count(): number {
    return this.acknowledged[2].length;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #run(url: string): Promise<void> {
    const wire = await KafkaWire.open(url);
    for (let at = 0; !this.#isStopped; at++) {
      for (const index of [0, 1, 2]) {
        const value = Buffer.from(`${index} ${at}`);
        const { responses } = await wire.ask(produce, 9, {
          ...{ acks: -1, timeoutMs: 30_000 },
          topicData: [
            {
              name: TOPIC.name,
              partitionData: [
                { index, records: buildBatch([{ timestamp: Date.now(), key: null, value }], {}) },
              ],
            },
          ],
        });
        expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
        this.acknowledged[index]!.push(`${index} ${at}`);
      }
      await wire.ask(offsetCommit, 8, commitOf('readers', TOPIC.name, at + 1));
      this.committed = at + 1;
    }
    wire.close();
  }
}

async function committedBy(url: string): Promise<number> {
  const wire = await KafkaWire.open(url);
  const asked = [{ name: TOPIC.name, partitionIndexes: [0] }];
  const { topics } = await wire.ask(offsetFetch, 5, { groupId: 'readers', topics: asked });
  wire.close();
  return topics[0]!.partitions[0]!.committedOffset;
}

const snapshotsIn = (directories: readonly string[]) =>
  directories.flatMap((directory) => readdirSync(directory).filter((name) => name.includes('snapshot')));

describe('a backup of the log directories of a Kafka', () => {
  /** That a restored backup has at least what was acknowledged before it, and nothing that never was. */
  async function expectRestored(
    file: string,
    name: string,
    least: LogLoad['acknowledged'],
    committed: number,
  ) {
    const dataDir = place(name);
    const { code, out, errors } = await runTinymq(['restore', file, '-data-dir', dataDir]);
    expect(code, errors).toBe(0);
    expect(out).toMatch(/^Restored 1 topic with [\d,]+ messages /);
    const users = await runTinymq(['users', 'list', '-data-dir', dataDir]);
    expect(users.out).toContain('anna');
    await using broker = await startBroker({
      ...{ listen: [], kafka: { listen: ['tcp://127.0.0.1:0'] }, dataDir },
    });
    const url = urlOf(broker, 'kafka');
    for (const [index, texts] of least.entries()) {
      const found = await recordsOf(url, TOPIC.name, index);
      expect(found.slice(0, texts.length)).toEqual(texts.map((text, offset) => [offset, text]));
      expect(found.every(([offset, text]) => text === `${index} ${offset}`)).toBe(true);
    }
    expect(await committedBy(url)).toBeGreaterThanOrEqual(committed);
  }

  it('has several directories, offsets of groups and users, while the broker goes on and when it is stopped', async () => {
    const directories = logDirectories('kafka');
    const named = directories.flatMap((directory) => ['-kafka-log-dir', directory]);
    for (const args of [
      ['users', 'add', 'anna', '-no-password', '-quiet'],
      ['acl', 'add', '-allow', 'all', '-users', 'anonymous'],
    ]) {
      const { code, errors } = await runTinymq([...args, ...named]);
      expect(code, errors).toBe(0);
    }
    const broker = await startedOnLogDirs(directories);
    const load = new LogLoad(urlOf(broker, 'kafka'));
    await eventually(() => load.count > 100, 'some load');
    const before = structuredClone(load.acknowledged);
    const committedBefore = load.committed;
    // The broker knows its other directories.
    const running = await runTinymq(['backup', place('kafka.db'), '-kafka-log-dir', directories[0]]);
    expect(running.code, running.errors).toBe(0);
    const verified = await runTinymq(['verify', ...named, '-json']);
    expect(verified.code, verified.errors).toBe(0);
    expect(JSON.parse(verified.out)).toMatchObject({ isWhole: true, problems: [] });
    expect(JSON.parse(verified.out).records).toBeGreaterThan(300);
    const then = load.count;
    await eventually(() => load.count > then, 'messages behind the backup');
    expect(snapshotsIn(directories)).toEqual([]);
    await load.stop();
    await broker.close();
    await expectRestored(place('kafka.db'), 'kafka-restored', before, committedBefore);
    const stopped = await runTinymq(['backup', place('kafka-stopped.db'), ...named]);
    expect(stopped.code, stopped.errors).toBe(0);
    expect(snapshotsIn(directories)).toEqual([]);
    await expectRestored(
      place('kafka-stopped.db'),
      'kafka-stopped-restored',
      load.acknowledged,
      load.committed,
    );
  });

  it('is verified by a snapshot, and what is damaged is named by its own place', async () => {
    const directories = logDirectories('damaged');
    const named = directories.flatMap((directory) => ['-kafka-log-dir', directory]);
    const first = await startedOnLogDirs(directories);
    const load = new LogLoad(urlOf(first, 'kafka'));
    await eventually(() => load.count > 3, 'some messages');
    await load.stop();
    await first.close();
    await flip(join(directories[1], 'sensors-1', `${'0'.repeat(20)}.log`), '1 2');
    await using _broker = await startedOnLogDirs(directories);
    const { code, out, errors } = await runTinymq(['verify', ...named, '-json']);
    expect(code, errors).toBe(1);
    const { problems } = JSON.parse(out) as { problems: string[] };
    expect(problems).toEqual([expect.stringContaining("topic 'sensors' partition 1")]);
    expect(problems[0]).not.toContain('snapshot');
    const backup = await runTinymq(['backup', place('damaged-kafka.db'), ...named]);
    expect(backup.code).toBe(1);
    expect(backup.errors).toContain("topic 'sensors' partition 1, offsets 2 to 2: they are damaged");
    expect(snapshotsIn(directories)).toEqual([]);
  });

  it('is refused where a directory is missing, and leaves nothing', async () => {
    const directories = logDirectories('missing');
    const broker = await startedOnLogDirs(directories);
    const load = new LogLoad(urlOf(broker, 'kafka'));
    await eventually(() => load.count > 3, 'some messages');
    await load.stop();
    await broker.close();
    for (const [args, problem] of [
      [['-kafka-log-dir', directories[1]], 'the metadata log is not in'],
      [['-kafka-log-dir', directories[0]], "partition 1 of topic 'sensors' is in none of them: name all"],
      [['-kafka-log-dir', place('nowhere')], 'there is no folder'],
      [['-kafka-log-dir', directories[0], '-data-dir', place('x')], 'are two stores'],
    ] as const) {
      const { code, errors } = await runTinymq(['backup', place('missing.db'), ...args]);
      expect(code, problem).not.toBe(0);
      expect(errors).toContain(problem);
    }
    expect([place('missing.db'), place('missing.db.part')].filter(existsSync)).toEqual([]);
    expect(snapshotsIn(directories)).toEqual([]);
  });
});
