import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
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
