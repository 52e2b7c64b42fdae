import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { program, run } from '../support/broker-process.ts';
import { rounds } from '../support/torture.ts';
import { TestClient } from './grpc-client.ts';
import { type SmqProcess, startSmq, stopSmq } from './smq-process.ts';

/*
 * `smq` as a program: what its users' scripts rely on, what was acknowledged survives kill -9, and a database of the
 * original is taken over.
 */

let folder: string;
let dbPath: string;
const running: SmqProcess[] = [];
const clients: TestClient[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-smq-'));
  dbPath = join(folder, 'test.db');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const each of running.splice(0)) await stopSmq(each);
  rmSync(folder, { recursive: true });
});

async function startedSmq(...args: string[]): Promise<{ smq: SmqProcess; client: TestClient }> {
  const smq = await startSmq(['--dbpath', dbPath, ...args]);
  running.push(smq);
  const client = new TestClient(smq.url);
  clients.push(client);
  return { smq, client };
}

const message = (value: number | string) => new Uint8Array(Buffer.from(String(value)));

it('keeps what it took over a restart, and says what it does', async () => {
  const first = await startedSmq();
  await first.client.unary('CreateTopic', { topic: 't' });
  await first.client.unary('Produce', { topic: 't', message: message('a') });
  expect(first.smq.stderr()).toContain('Server mTLS is not enabled.\nServer is running on port 0...\n');
  first.client.close();
  await stopSmq(first.smq);
  expect(first.smq.child.exitCode).toBe(0);

  const second = await startedSmq('--allow-remote-writes=false');
  expect(await second.client.unary('Consume', { topic: 't', offset: 1 })).toEqual({
    message: message('a'),
    offset: 1n,
  });
  await expect(second.client.unary('Produce', { topic: 't', message: message('b') })).rejects.toThrow(
    '2: remote writes disabled',
  );
});

describe('wrong usage', () => {
  it.each<[string, string[], number, string]>([
    ['an unknown flag', ['--nonsense'], 2, 'flag provided but not defined: -nonsense\nUsage of smq:'],
    [
      'a certificate that is not there',
      [
        '--server-enable-mtls',
        '--server-cert',
        '/none',
        '--server-key',
        '/none',
        '--server-ca-cert',
        '/none',
      ],
      1,
      'cannot read the certificate /none',
    ],
    ['a place that is not there', ['--dbpath', '/nonexistent/x/y.db'], 1, 'failed to create database driver'],
    ['no place', ['--dbpath', ''], 1, 'failed to create database driver'],
  ])('%s', async (_what, args, code, text) => {
    const ended = await run(program('smq'), ['--dbpath', dbPath, '-port', '0', ...args]);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(text);
  });

  it('a file that is no database is left alone', async () => {
    writeFileSync(dbPath, 'my diary');
    const { code, stderr } = await run(program('smq'), ['--dbpath', dbPath, '-port', '0']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('is not a database')]);
  });

  it('a port that is taken', async () => {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const ended = await run(program('smq'), ['--dbpath', dbPath, '-port', String(port)]);
    server.close();
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('the port is taken by another program');
  });

  it('--help is none', async () => {
    const { code, stderr } = await run(program('smq'), ['--help']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('-dbpath string')]);
  });
});

it('takes a folder for the database as well', async () => {
  mkdirSync(dbPath);
  const { client } = await startedSmq();
  await client.unary('CreateTopic', { topic: 't' });
});

it('takes over what the original kept, once', async () => {
  writeOriginalDatabase();
  const first = await startedSmq();
  expect(first.smq.stderr()).toContain('took over old with 7 messages');
  expect(await first.client.unary('GetEarliestOffset', { topic: 'old' })).toEqual({ offset: 4n });
  expect(await first.client.unary('Consume', { topic: 'old', offset: 9 })).toEqual({
    message: message('message 9'),
    offset: 9n,
  });
  expect(await first.client.unary('Produce', { topic: 'old', message: message('new') })).toEqual({
    offset: 11n,
  });
  first.client.close();
  await stopSmq(first.smq);

  const second = await startedSmq();
  expect(second.smq.stderr()).not.toContain('took over');
  expect(await second.client.unary('GetLatestOffset', { topic: 'old' })).toEqual({ offset: 11n });
});

// A check that was asked for by a variable, or by `=1`, took over the database.
it.each<[string, string[], NodeJS.ProcessEnv]>([
  ['-check-config', ['-check-config'], {}],
  ['-check-config=1', ['-check-config=1'], {}],
  ['TINYMQ_CHECK_CONFIG=true', [], { TINYMQ_CHECK_CONFIG: 'true' }],
])('takes nothing over with %s', async (_, args, env) => {
  writeOriginalDatabase();
  const { code, stdout } = await run(program('smq'), ['--dbpath', dbPath, ...args], { env });
  expect([code, stdout]).toEqual([0, expect.stringContaining('The configuration is right.')]);
  expect(readdirSync(folder)).toEqual(['test.db']);
});

/** A topic of ten messages, of which the first three are gone. */
function writeOriginalDatabase(): void {
  const database = new DatabaseSync(dbPath);
  database.exec(
    'CREATE TABLE Topic_old ("offset" INTEGER PRIMARY KEY AUTOINCREMENT, "time" TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "data" BLOB)',
  );
  const insert = database.prepare('INSERT INTO Topic_old (data) VALUES (?)');
  for (let offset = 1; offset <= 10; offset++) insert.run(Buffer.from(`message ${offset}`));
  database.exec('DELETE FROM Topic_old WHERE "offset" <= 3');
  database.close();
}

describe('kill -9', () => {
  it('loses nothing that was acknowledged, and offsets stay without a gap', async () => {
    const acknowledged = new Map<number, string>();
    let sent = 0;
    for (let round = 0; round < rounds(3); round++) {
      const { smq, client } = await startedSmq();
      await client.unary('CreateTopic', { topic: 't' });
      const latest = await client.unary('GetLatestOffset', { topic: 't' }).catch(() => ({ offset: 0n }));
      for (const offset of acknowledged.keys()) expect(offset).toBeLessThanOrEqual(Number(latest.offset));
      const goal = acknowledged.size + 300;
      const producers = Array.from({ length: 16 }, async () => {
        for (;;) {
          const text = `message ${sent++}`;
          const { offset } = await client.unary('Produce', { topic: 't', message: message(text) });
          expect(acknowledged.has(Number(offset))).toBe(false);
          acknowledged.set(Number(offset), text);
          if (acknowledged.size >= goal) smq.child.kill('SIGKILL');
        }
      });
      const stream = client.open('StreamProduce');
      stream.ended.catch(() => {});
      await Promise.allSettled(producers);
      await smq.ended;
      client.close();
    }
    const { client } = await startedSmq();
    const { messages } = await client.unary('BulkRetrieve', { topic: 't' });
    const offsets = messages.map(({ offset }: { offset: bigint }) => Number(offset));
    expect(offsets).toEqual(offsets.map((_: number, index: number) => index + 1));
    for (const [offset, text] of acknowledged) {
      expect(Buffer.from(messages[offset - 1].message).toString()).toBe(text);
    }
  });

  it('keeps a stream of messages up to a point, without a hole', async () => {
    const { smq, client } = await startedSmq();
    await client.unary('CreateTopic', { topic: 't' });
    const follower = client.call('StreamConsume', [{ topic: 't', offset: 1 }]);
    follower.ended.catch(() => {});
    const messages = Array.from({ length: 200_000 }, (_, index) => ({ topic: 't', message: message(index) }));
    client.call('StreamProduce', messages).ended.catch(() => {});
    // What a reader got was on the disk.
    await follower.received(20_000);
    smq.child.kill('SIGKILL');
    await smq.ended;
    const shown = follower.responses.length;
    client.close();

    const again = await startedSmq();
    const bulk = await again.client.unary('BulkRetrieve', { topic: 't' });
    expect(bulk.count).toBeGreaterThanOrEqual(shown);
    for (const [index, found] of bulk.messages.entries()) {
      expect(Number(found.offset)).toBe(index + 1);
      expect(Buffer.from(found.message).toString()).toBe(String(index));
    }
  });
});
